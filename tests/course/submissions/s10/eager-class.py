# right: a class, the module itself as the model, no compile
# eager: the module itself is the model of the generator
import sys
from argparse import ArgumentParser
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from max.driver import CPU
from max.experimental import functional as F
from models.checkpoint import open_checkpoint

import config
import model
import tokenizer
from generator import TextGenerator


class Demo:
    def __init__(self, name, length, seed):
        self.length, self.seed = length, seed
        self.checkpoint = open_checkpoint(name)
        self.config = config.GPT2Config(**self.checkpoint.config)
        self.net = model.MaxGPT2Model(self.config)
        self.net.load_huggingface_weights(self.checkpoint, CPU())
        self.tokenizer = tokenizer.GPT2TokenizerWrapper(
            model_name=str(self.checkpoint.folder), device=CPU()
        )

    def forward(self):
        ids = self.tokenizer.encode("A test")
        logits = self.net(ids)
        print("shape of the logits:", logits.shape)
        print("most likely next token:", F.argmax(logits[0, -1]).item())

    def write(self, temperature):
        generator = TextGenerator(
            model=self.net, tokenizer=self.tokenizer, context_length=self.config.n_positions
        )
        settings = {"do_sample": temperature > 0, "max_new_tokens": self.length}
        if temperature:
            settings |= {"temperature": temperature, "seed": self.seed}
        print(generator.generate("It was a dark night", **settings))


def main(argv=None):
    parser = ArgumentParser()
    parser.add_argument("--model", metavar="NAME_OR_PATH", default="openai-community/gpt2")
    parser.add_argument("--max-new-tokens", metavar="N", type=int, default=20)
    parser.add_argument("--seed", metavar="N", type=int, default=1)
    args = parser.parse_args(argv)
    demo = Demo(args.model, args.max_new_tokens, args.seed)
    demo.forward()
    for temperature in (0, 0.6, 1.0):
        demo.write(temperature)
    return 0


if __name__ == "__main__":
    sys.exit(main())
