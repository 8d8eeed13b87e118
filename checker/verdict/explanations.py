"""The table of explanations: what learners write, what is raised, the MAX way.

A row matches an exception when its ``says`` does, all its facts do, and all fields of
its sentence are known; the first that matches is taken. Most were written with PyTorch
or NumPy in mind. tests/course/test_explain.py runs what each row's learner wrote.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from string import Formatter


@dataclass(frozen=True)
class Row:
    """An exception and its meaning.

    Attributes:
        id: kebab-case.
        wrote: an example of what the learner wrote.
        says: "Type: message" as it is raised, one or several; ``…`` is any text,
            ``<name>`` a text that the sentence may use.
        sentence: for the learner; its ``{fields}`` are facts and parts of the message.
        way: how MAX wants it; code that runs.
        facts: regular expressions that the worker's facts have to match as a whole.
        like: the fields of the sentence, for the page.
    """

    id: str
    wrote: str
    says: tuple[str, ...]
    sentence: str
    way: str
    facts: Mapping[str, str]
    like: Mapping[str, str]

    @property
    def at_definition(self) -> bool:
        """Whether the line to look at is the `def`, not the call."""
        return "selfless" in self.facts

    def match(self, said: str, facts: Mapping[str, str]) -> dict[str, str] | None:
        """The fields for the sentence where the row is about this exception."""
        for says in self.says:
            found = pattern(says).fullmatch(said)
            parts = found.groupdict() if found else {}
            known = {"way": self.way, **facts, **{n: tidy(t) for n, t in parts.items()}}
            agree = all(facts.get(name, text) == text for name, text in parts.items())
            if found and agree and self._fits(known):
                return known
        return None

    @cached_property
    def needs(self) -> frozenset[str]:
        """The fields of the sentence."""
        parts = Formatter().parse(self.sentence)
        return frozenset(name for _, name, *_ in parts if name)

    def _fits(self, known: Mapping[str, str]) -> bool:
        return all(known.get(name) for name in self.needs) and all(
            re.fullmatch(wanted, known.get(name, ""))
            for name, wanted in self.facts.items()
        )


@cache
def pattern(says: str) -> re.Pattern[str]:
    """``says`` as a regular expression."""
    escaped = re.escape(says).replace("…", ".*?")
    named = re.sub(r"<(\w+)>", r"(?P<\1>.+?)", escaped)
    again = re.compile(r"(\(\?P<(\w+)>\.\+\?\).*)\(\?P<\2>\.\+\?\)", re.DOTALL)
    return re.compile(again.sub(r"\1(?P=\2)", named), re.DOTALL)


def tidy(text: str) -> str:
    """A part of a message as it is shown: no quotes, no insides of Python, nor of the
    module in which probes have a file's module traced."""
    text = re.sub(r".*<locals>\.", "", text).removeprefix("module.")
    return text[1:-1] if re.fullmatch(r"'[^']*'", text) else text


def row(
    id: str,
    wrote: str,
    says: str | tuple[str, ...],
    sentence: str,
    way: str = "",
    like: Mapping[str, str] | None = None,
    **facts: str,
) -> Row:
    says = (says,) if isinstance(says, str) else says
    return Row(id, wrote, says, sentence, way, facts, like or {})


def lacks(kind: str, words: str, *table: tuple[str, str, str, str]) -> tuple[Row, ...]:
    """Rows for names that PyTorch has: (name, what is written, the way, a remark)."""
    thing = {"tensor": "'Tensor' object", "f": f"module '{FUNCTIONAL}'"}[kind]
    owner = {"tensor": "max Tensor", "f": f"module {FUNCTIONAL}"}[kind]
    return tuple(
        row(
            f"{kind}-{name.replace('_', '-')}",
            wrote,
            f"AttributeError: {thing} has no attribute '{name}'",
            f"{words} no `{name}`: {f'in MAX it is `{way}`' if way else ''}{remark}.",
            way,
            kind=owner,
        )
        for name, wrote, way, remark in table
    )


FUNCTIONAL = "max.experimental.functional"

METHODS = lacks(
    "tensor",
    "A MAX Tensor has",
    ("view", "x.view(B, T, H, D)", "x.reshape([B, T, H, D])", ""),
    ("size", "x.size(-1)", "x.shape[-1]", ""),
    ("dim", "x.dim()", "x.rank", ""),
    ("ndim", "x.ndim", "x.rank", ""),
    ("chunk", "x.chunk(3, dim=-1)", "F.chunk(x, 3, axis=-1)", ""),
    ("split", "x.split(4, dim=-1)", "F.split(x, [4, 4, 4], axis=-1)",
     ", with a list of all sizes"),
    ("masked_fill", 'x.masked_fill(mask, float("-inf"))',
     'F.where(mask, float("-inf"), x)', ", or add a mask of 0 and -inf"),
    ("contiguous", "x.transpose(1, 2).contiguous()", "",
     "leave it out; a Tensor needs no copy before `reshape`"),
    ("t", "w.t()", "w.T", ", without parentheses"),
    ("expand", "x.expand(B, T, C)", "F.broadcast_to(x, [B, T, C])", ""),
    ("repeat", "x.repeat(2, 1, 1)", "F.tile(x, [2, 1, 1])", ""),
    ("float", "ids.float()", "ids.cast(DType.float32)", ""),
    ("long", "x.long()", "x.cast(DType.int64)", ""),
    ("half", "x.half()", "x.cast(DType.float16)", ""),
    ("astype", "x.astype(np.float32)", "x.cast(DType.float32)", ""),
    ("numpy", "x.numpy()", "np.from_dlpack(x)", ""),
    ("tolist", "x.tolist()", "np.from_dlpack(x).tolist()", ""),
    ("cpu", "x.cpu()", "x.to(CPU())", ""),
    ("cuda", "x.cuda()", "x.to(device)", ", where `device` is one of max.driver"),
    ("detach", "x.detach()", "", "MAX records no gradients, so leave it out"),
    ("clone", "x.clone()", "", "no operation changes a Tensor, so it needs no copy"),
    ("add", "x.add(y)", "x + y", ""),
    ("mm", "x.mm(w)", "x @ w", ""),
    ("bmm", "x.bmm(x.transpose(1, 2))", "x @ x.transpose(1, 2)", ""),
    ("var", "x.var(-1)", "((x - x.mean(-1)) ** 2).mean(-1)",
     ", which divides by C as layer norm does"),
)  # fmt: skip

FUNCTIONS = lacks(
    "f",
    "MAX's `F` has",
    ("tril", "F.tril(x)", "F.band_part(x, num_upper=0)",
     ", which keeps the lower triangle and num_upper diagonals above it"),
    ("triu", "F.triu(x)", "F.band_part(x, num_lower=0)",
     ", which keeps num_lower diagonals below the main one"),
    ("masked_fill", 'F.masked_fill(x, mask, float("-inf"))',
     'F.where(mask, float("-inf"), x)', ", or add a mask of 0 and -inf"),
    ("cat", "F.cat([x, y], dim=1)", "F.concat([x, y], axis=1)", ""),
    ("linear", "F.linear(x, w)", "x @ w.T",
     ", or create a `Linear(in, out)` in `__init__` and call it"),
    ("embedding", "F.embedding(ids, w)", "F.gather(w, ids, axis=0)",
     ", or create an `Embedding(V, dim=C)` in `__init__` and call it"),
    ("log_softmax", "F.log_softmax(x, dim=-1)", "F.logsoftmax(x)", ""),
    ("gelu_new", "F.gelu_new(x)", 'F.gelu(x, approximate="tanh")', ""),
    ("bmm", "F.bmm(x, x.transpose(1, 2))", "x @ x.transpose(1, 2)", ""),
    ("einsum", 'F.einsum("btc,bsc->bts", x, x)', "x @ x.transpose(-1, -2)", ""),
    ("scaled_dot_product_attention", "F.scaled_dot_product_attention(q, k, v)", "",
     "write its steps: `@`, the scale, the mask, `F.softmax` and `@`"),
    ("multinomial", "F.multinomial(p, 1)", "rng.choice(len(p), p=p)",
     ", on a NumPy array and with NumPy's generator"),
    ("dropout", "F.dropout(x, 0.1)", "", "leave it out; it is for training only"),
    ("var", "F.var(x, -1)", "F.mean((x - F.mean(x, axis=-1)) ** 2, axis=-1)", ""),
)  # fmt: skip


def keywords(*table: tuple[str, str, str, str]) -> tuple[Row, ...]:
    """Rows for arguments that MAX calls otherwise: (name, written, way, why)."""
    return tuple(
        row(
            f"keyword-{name.replace('_', '-')}",
            wrote,
            f"TypeError: …() got an unexpected keyword argument '{name}'",
            f"`{{call}}` has no argument `{name}`: {remark} `{way}`.",
            way,
            {"call": wrote.partition("(")[0]},
            callee="max .*",
            takes=TAKES.get(name, ".*"),
        )
        for name, wrote, way, remark in table
    )


TAKES = {
    **dict.fromkeys(("dim", "keepdim", "keepdims"), r".*\baxis\b.*"),
    "eps": r".*\bepsilon\b.*",
    "embedding_dim": r".*\bdim\b.*",
}
"""What a function has to take for the MAX way to be one."""

KEYWORDS = keywords(
    ("dim", "F.softmax(x, dim=-1)", "F.softmax(x, axis=-1)",
     "MAX calls it `axis`, as in"),
    ("keepdim", "F.mean(x, -1, keepdim=True)", "F.mean(x, axis=-1)",
     "MAX always keeps the axis, with length 1, as in"),
    ("keepdims", "F.mean(x, axis=-1, keepdims=True)", "F.mean(x, axis=-1)",
     "MAX always keeps the axis, with length 1, as in"),
    ("eps", "F.layer_norm(x, w1, b1, eps=1e-5)", "F.layer_norm(x, w1, b1, 1e-5)",
     "it is the fourth argument, `epsilon`, as in"),
    ("in_features", "Linear(in_features=12, out_features=48)", "Linear(12, 48)",
     "pass the two sizes by position, as in"),
    ("embedding_dim", "Embedding(V, embedding_dim=C)", "Embedding(V, dim=12)",
     "MAX calls it `dim`, as in"),
    ("num_embeddings", "Embedding(num_embeddings=V, embedding_dim=C)",
     "Embedding(V, dim=12)", "the number of rows comes first, as in"),
    ("dtype", "x.to(dtype=DType.float32)", "x.cast(DType.float32)",
     "change the dtype with"),
)  # fmt: skip


GOT = (
    "AttributeError: '{}' object has no attribute 'cast'",
    "TypeError: TensorValue() argument must be an mlir.Value…, not '{}'",
    "TypeError: TensorValue() can not be created directly from a '{}'.…",
    "TypeError: _promote_weak_dtypes() argument must be a TensorValueLike, not '{}'",
)
"""How MAX says that it wants a Tensor and what it got instead."""
STRONG = "TypeError: …nary ops …This can be done with ops.constant."
"""The same, without what it got."""


def got(*kinds: str) -> tuple[str, ...]:
    return tuple(says.format(kind) for kind in kinds for says in GOT)


BY_MAX = r"(max|checker)\..*"
"""Raised in MAX, or in the interpreter that stands in for its compiler."""

TENSORS = (
    row("layer-not-called", "F.gelu(self.c_fc)", got("<layer_type>"),
        "`{layer}` is a layer, not a Tensor: call it first, as in `{layer}(x)`.",
        "F.gelu(self.c_fc(x))", {"layer": "self.c_fc", "layer_type": "Linear"},
        raiser=BY_MAX),
    row("layer-attribute", "self.c_fc.cast(DType.float32)",
        "AttributeError: '<type>' object has no attribute '<name>'",
        "`{object}` is a layer ({type}), not a Tensor, and has no `{name}`: "
        "`{object}(x)` gives a Tensor.",
        "self.c_fc(x).cast(DType.float32)",
        {"object": "self.c_fc", "type": "Linear", "name": "cast"},
        kind="layer .*", elsewhere=".+"),
    row("forward", "self.c_fc.forward(x)",
        "AttributeError: '…' object has no attribute 'forward'",
        "A layer has no `forward`: call the layer itself, `{object}(x)`.",
        "self.c_fc(x)", {"object": "self.c_fc"}, kind="layer .*"),
    row("parameters-called", "self.c_fc.parameters()",
        "TypeError: 'generator' object is not callable",
        "`parameters` is a property: write it without parentheses, `{way}`.",
        "self.c_fc.parameters", expression=r".*\.parameters\(\)", layer=".+"),
    row("property-called", "x.shape()",
        ("TypeError: '<type>' object is not callable",),
        "`{call}` is a property: write it without parentheses.",
        "x.shape", {"call": "x.shape", "type": "Shape"},
        call=r".*\.(shape|dtype|device|rank|T|type)", tensor=".+"),
    row("tensor-called", "self.weight(x)", "TypeError: 'Tensor' object is not callable",
        "`{call}` is a Tensor, which cannot be called. Multiply with `@` or `*`.",
        "self.weight * x", {"call": "self.weight"},
        raiser="learner:.*"),
    row("tensor-of-the-driver", "driver.Tensor.ones([2, 3])",
        "AttributeError: type object 'Tensor' has no attribute '<name>'",
        "This `Tensor` has no `{name}`; the one of max.experimental.tensor has: look "
        "which one is imported.",
        "Tensor.ones([2, 3])", {"name": "ones"},
        name="(full|ones|constant|arange|range_like|(full|ones|zeros)_like)",
        raiser="learner:.*"),
    row("method-of-f", "x.exp()",
        ("AttributeError: 'Tensor' object has no attribute '<name>'",
         "AttributeError: type object 'Tensor' has no attribute '<name>'"),
        "A MAX Tensor has no method `{name}`: use the function, `{elsewhere}(…)`.",
        "F.exp(x)", {"name": "exp", "elsewhere": "F.exp"}),
    row("function-of-tensor", "F.arange(5)",
        f"AttributeError: module '{FUNCTIONAL}' has no attribute '<name>'",
        "MAX's `F` has no `{name}`: use `{elsewhere}(…)`.",
        "Tensor.arange(5)", {"name": "arange", "elsewhere": "Tensor.arange"}),
    row("array-returned-to-f", "F.functional(lambda: np.array(x))()",
        "TypeError: iteration over a 0-d array",
        "What is under `@F.functional` has to return a Tensor; this is an array that "
        "NumPy has made around something it does not know.",
        "F.functional(lambda: x)()", raiser=r"max\.experimental\.functional:.*"),
    row("number-of-another-type", "F.band_part(x, num_upper=1.5)",
        "RuntimeError: std::bad_cast",
        "MAX takes no object of this type here: look for a float that has to be an "
        "int, and for text.",
        "F.band_part(x, num_upper=1)", raiser=BY_MAX),
    row("array-to-f", "F.gelu(array)", got("numpy.ndarray", "ndarray"),
        "MAX wants a Tensor and got a NumPy array: `{way}` turns an array into a "
        "Tensor.",
        "Tensor.from_dlpack(array)", raiser=BY_MAX),
    row("array-in-operation", "F.tanh(array)", STRONG,
        "MAX wants a Tensor, and `{array}` is a NumPy array: "
        "`Tensor.from_dlpack({array})` turns it into a Tensor.",
        "Tensor.from_dlpack(array)", {"array": "array"}, raiser=BY_MAX),
    row("number-to-f", "F.sqrt(12)", (STRONG, *got("int", "float")),
        "MAX wants a Tensor, and `{number}` is a number. For numbers use Python's own "
        "functions, as in `{way}`.",
        "math.sqrt(12)", {"number": "12"}, raiser=BY_MAX),
    row("list-to-f", "F.gelu([1.0, 2.0])", (*got("list", "tuple", "range"), STRONG),
        "MAX wants a Tensor, and `{list}` is a list, a tuple or a range. "
        "`Tensor.constant` turns a list of numbers into a Tensor.",
        "F.gelu(Tensor.constant([1.0, 2.0]))", {"list": "[1.0, 2.0]"},
        raiser=BY_MAX),
    row("array-returned", "return array",
        "Unusable: <what> is a numpy ndarray, not a MAX Tensor",
        "{what} is a NumPy array, not a MAX Tensor: `{way}` turns an array into a "
        "Tensor.",
        "Tensor.from_dlpack(array)", {"what": "the result"}),
    row("driver-tensor-returned", "return driver.Tensor.from_dlpack(array)",
        "Unusable: <what> is a max Tensor, not a MAX Tensor",
        "{what} is a tensor of max.driver, not of max.experimental.tensor: "
        "`Tensor.from_dlpack` turns it into one.",
        "Tensor.from_dlpack(driver.Tensor.from_dlpack(array))", {"what": "the result"}),
    row("list-returned", "return [x]",
        "Unusable: <what> is a builtins <type>, not a MAX Tensor",
        "{what} is a Python {type}, not a MAX Tensor.",
        like={"what": "the result", "type": "list"}),
    row("none-from-graph", "return None",
        "TypeError: max.graph.graph.Graph.output() argument after * must be an "
        "iterable, not NoneType",
        "A traced function has to return a Tensor, and this one returned None, as a "
        "function without `return` does.", raiser=BY_MAX),
    row("returned-from-graph", "return 3",
        "TypeError: max.graph.graph.Graph.output() argument after * must be an "
        "iterable, not <type>",
        "A traced function has to return a Tensor, and this one returned a value of "
        "type {type}.",
        like={"type": "int"},
        raiser=BY_MAX),
    row("list-called", "layers(x)",
        "TypeError: 'list' object is not callable",
        "`{call}` is a list, which cannot be called: call its elements one after the "
        "other, or put them into `Sequential(*layers)`.",
        "Sequential(*layers)(x)", {"call": "layers"}, raiser="learner:.*"),
    row("sequential-list", "Sequential(layers)(x)",
        ("TypeError: 'list' object is not callable",
         "TypeError: 'generator' object is not callable",
         "TypeError: 'tuple' object is not callable"),
        "Sequential takes the layers one by one: unpack the list with `*`.",
        "Sequential(*layers)(x)", raiser=r"max\.nn\.module_v3\.sequential:.*"),
    row("tensor-of-array", "Tensor(array)",
        "TypeError: Tensor.__init__() takes 1 positional argument but 2 were given",
        "`Tensor(…)` does not take values: write `{way}` for an array, and "
        "`Tensor.constant(…)` for a list of numbers.",
        "Tensor.from_dlpack(array)", callee=r"max Tensor\.__init__"),
    row("from-numpy", "Tensor.from_numpy(array)",
        "AttributeError: type object 'Tensor' has no attribute 'from_numpy'",
        "MAX calls it `from_dlpack`: write `{way}`.",
        "Tensor.from_dlpack(array)", kind="class max Tensor"),
    row("from-dlpack-list", "Tensor.from_dlpack([1, 2])",
        "AttributeError: '<type>' object has no attribute '__dlpack_device__'",
        "`from_dlpack` takes an array, not a {type}: write `{way}`.",
        "Tensor.from_dlpack(np.array([1, 2]))", {"type": "list"}, raiser=BY_MAX),
    row("from-dlpack-none", "Tensor.from_dlpack(None)",
        "TypeError: _from_dlpack(): incompatible function arguments.…NoneType",
        "`from_dlpack` takes an array and got None.",
        raiser=BY_MAX),
    row("not-contiguous", "Tensor.from_dlpack(array.T)",
        "ValueError: driver tensor's from_dlpack only accepts contiguous arrays. "
        "First call np.ascontiguousarray(array)",
        "MAX wants an array that is contiguous in memory, which a view like `array.T` "
        "is not: copy it with `{way}`.",
        "np.ascontiguousarray(array.T)",
        raiser=BY_MAX),
    row("text-in-array", "Tensor.from_dlpack(np.array(tokens))",
        "BufferError: DLPack only supports signed/unsigned integers, float and "
        "complex dtypes.",
        "This array does not hold numbers, so it cannot become a Tensor. Use token "
        "ids instead of text.",
        raiser=BY_MAX),
    row("text-in-tensor", "Tensor.constant(tokens)", "RecursionError: …",
        "Text cannot go into a Tensor. A number has no quotation marks, and minus "
        'infinity is `float("-inf")`; of a text, the token ids go in, as in `{way}`.',
        "Tensor.constant([31, 7], dtype=DType.int64)",
        through=r".*max\.graph\.ops\.constant:.*", raiser="(?!learner).*"),
    row("bfloat16-to-numpy", "np.from_dlpack(x.cast(DType.bfloat16))",
        "RuntimeError: Unsupported dtype in DLTensor.",
        "NumPy cannot read a tensor of this dtype (it cannot read bfloat16, for one): "
        "cast it first, as in `{way}`.",
        "np.from_dlpack(x.cast(DType.float32))",
        call=r".*\bfrom_dlpack"),
    row("item-assignment", "x[0] = 0",
        "TypeError: 'Tensor' object does not support item assignment",
        "A MAX Tensor cannot be changed: make a new one, with `F.where` or `F.concat`.",
        "F.where(x > 0, x, 0.0)",
        tensor=".+"),
    row("tensor-has-no-length", "len(x)",
        "TypeError: object of type 'Tensor' has no len()",
        "A MAX Tensor has no `len`: its sizes are in `shape`.",
        "int(ids.shape[0])",
        tensor=".+", raiser="learner:.*"),
    row("iterated", "sum(x)",
        "ValueError: Failed to create op 'slice': …rmo.slice stop index <stop> out of "
        "range for dimension size <size> …",
        "A MAX Tensor cannot be looped over or unpacked, as `{expression}` does. Use "
        "F's functions, or `np.from_dlpack(x)` first.",
        "F.sum(x, axis=0)", {"expression": "sum(x)"},
        expression=r"[^\[]*",
        through=r"max\.experimental\.tensor:Tensor\.__getitem__.*"),
    row("several-elements", "if x > 0: pass", "TypeError: ",
        "`if`, `max` and `item()` need a Tensor with exactly one element: index it "
        "down to one, or use F's functions, as in `{way}`.",
        "F.where(x > 0, x, 0.0)", raiser=r"max\.experimental\.tensor:Tensor\.item"),
    row("tensor-as-number", "float(x)",
        ("TypeError: float() argument must be a string or a real number, not 'Tensor'",
         "TypeError: int() argument must be a string…, not 'Tensor'"),
        "Python's `float` and `int` cannot read a Tensor. For a Tensor with one "
        "element use `item()`, as in `{way}`.",
        "ids[0, 0].item()", raiser="learner:.*"),
    row("tensor-to-math", "math.sqrt(x)", "TypeError: must be real number, not Tensor",
        "`math` works on numbers and F on Tensors: write `{way}`.",
        "F.sqrt(x)", raiser="learner:.*"),
    row("tensor-to-numpy-function", "np.exp(x)",
        "TypeError: loop of ufunc does not support argument 0 of type Tensor which has "
        "no callable <name> method",
        "NumPy's functions do not work on MAX Tensors: use `F.{name}(…)`, or convert "
        "with `np.from_dlpack(x)` first.",
        "F.exp(x)", {"name": "exp"}, call="np.*|numpy.*"),
    row("tensor-to-numpy", "np.transpose(x, (0, 2, 1))",
        ("ValueError: axes don't match array", "ValueError: matmul: Input operand …",
         "ValueError: zero-dimensional arrays cannot be concatenated",
         "ValueError: cannot reshape array of size 1 into shape …",
         "ValueError: setting an array element with a sequence.…",
         "TypeError: object of type 'Tensor' has no len()",
         "TypeError: Tensor.…() got an unexpected keyword argument '…'"),
        "NumPy sees the MAX Tensor `{tensor}` as a single object: convert it with "
        "`np.from_dlpack({tensor})`, or use F's functions.",
        "np.transpose(np.from_dlpack(x), (0, 2, 1))", {"tensor": "x"},
        call=r"(np|numpy|rng)\..*"),
    row("array-at-tensor", "array @ x", "ValueError: matmul: Input operand 1 …",
        "NumPy multiplies here, and it cannot read the Tensor `{tensor}`: turn the "
        "array into a Tensor first, as in `{way}`.",
        "Tensor.from_dlpack(array) @ x.transpose(1, 2)", {"tensor": "x"}, array=".+"),
    row("tensor-to-tokenizer", "tokenizer.decode(ids)",
        ("TypeError: int() argument must be a string…, not 'Tensor'",
         "TypeError: argument 'ids': 'Tensor' object cannot be interpreted as an "
         "integer"),
        "The tokenizer takes a list of ids, not a MAX Tensor: convert it, as in "
        "`{way}`.",
        "np.from_dlpack(ids)[0].tolist()", raiser=r"transformers\..*"),
    row("batch-to-tokenizer", "tokenizer.decode([[1, 2]])",
        "TypeError: int() argument must be a string…, not 'list'",
        "The tokenizer takes one list of ids and got a list of lists: pass one of the "
        "inner lists.",
        "tokenizer.decode([1, 2])", raiser=r"transformers\..*"),
    row("tensors-of-pytorch", 'tokenizer("a", return_tensors="pt")',
        "ImportError: Unable to convert output to PyTorch tensors format, PyTorch is "
        "not installed.",
        "PyTorch is not part of the course: leave `return_tensors` out and make a "
        "Tensor of the list of ids.",
        'Tensor.from_dlpack(np.array([tokenizer.encode("a")]))',
        raiser=r"transformers\..*"),
)  # fmt: skip

SIZE_LISTS = "max Tensor.(reshape|ones|zeros|full)|max reshape"
DIM_TO_INT = (
    "TypeError: when using dims to index into a list or NumPy array, explicitly "
    "convert to int with int(dim)",
    "TypeError: expected a sequence of integers or a single integer, got 'Dim(…)'",
    "TypeError: loop of ufunc does not support argument 0 of type StaticDim …",
)
SIZES = (
    row("sizes-without-list", "x.reshape(B, T, 12)",
        "TypeError: …() takes …positional arguments but … were given",
        "MAX takes the sizes as one list: `{way}`.",
        "x.reshape([B, T, 12])", callee=SIZE_LISTS, list=""),
    row("axes-without-list", "x.permute(0, 2, 1)",
        "TypeError: …permute() takes 2 positional arguments but … were given",
        "MAX takes the axes as one list: `{way}`.",
        "x.permute([0, 2, 1])", callee=r"max (Tensor\.)?permute"),
    row("axes-in-list", "x.transpose([1, 2])",
        ("TypeError: …transpose() missing … required positional argument…",
         "TypeError: …transpose() takes … positional arguments but … were given"),
        "`transpose` swaps two axes and takes them as two arguments, `{way}`. For any "
        "other order use `x.permute([…])`.",
        "x.transpose(1, 2)", callee=r"max (Tensor\.)?transpose"),
    row("axes-of-another-rank", "x.permute([0, 2])",
        "ValueError: The rank of the input (<rank>) does not match the number of dims "
        "used for ordering (<count>)",
        "`permute` takes all axes in their new order: {rank} of them, not {count}.",
        "x.permute([0, 2, 1])", {"rank": "3", "count": "2"},
        raiser=BY_MAX),
    row("size-as-shape", "Tensor.ones(12)", "TypeError: 'int' object is not iterable",
        "A shape is a list, even of a single size: `{way}`.",
        "Tensor.ones([12])", raiser=r"max\.graph\.shape:Shape\.__init__"),
    row("split-by-number", "F.split(x, 4, axis=-1)",
        "TypeError: 'int' object is not iterable",
        "F.split takes a list with the size of each part: `{way}`. F.chunk takes the "
        "number of parts.",
        "F.split(x, [4, 4, 4], axis=-1)", raiser=r"max\.graph\.ops\.split:split"),
    row("split-sizes", "F.split(x, [4, 4, 4])",
        "ValueError: Split sizes must sum to dimension value; x.shape[axis]=Dim(<size>)"
        " != sum(sizes=<sizes>)",
        "The sizes {sizes} do not add up to {size}, the length of the axis that is "
        "cut. F.split cuts along axis 0 unless told otherwise: `{way}`.",
        "F.split(x, [4, 4, 4], axis=-1)", {"sizes": "[4, 4, 4]", "size": "2"},
        raiser=BY_MAX),
    row("chunk-sizes", "F.chunk(x, 3)",
        "ValueError: chunk: chunks=<count> must statically divide x.shape[axis]=…",
        "The axis does not divide into {count} equal parts. F.chunk cuts along axis 0 "
        "unless told otherwise: `{way}`.",
        "F.chunk(x, 3, axis=-1)", {"count": "3"},
        raiser=BY_MAX),
    row("concat-without-list", "F.concat(x, y)",
        "ValueError: Failed to create op 'slice': …rmo.slice stop index …",
        "`{call}` takes the Tensors in one list, as in `{way}`.",
        "F.concat([x, y], axis=-1)", {"call": "F.concat"},
        expression=r"F\.(concat|stack)\(\w.*", tensor=".+",
        through=r".*Tensor\.__getitem__.*"),
    row("concat-ranks", "F.concat([x, ids], axis=1)",
        "ValueError: Concat inputs must all have the same rank. …",
        "F.concat joins Tensors with the same number of axes; these have different "
        "numbers.",
        "F.concat([ids, ids], axis=1)",
        raiser=BY_MAX),
    row("concat-dtypes", "F.concat([x, x.cast(DType.float64)])",
        "ValueError: Failed to create op 'concat': …differing dtype from…",
        "F.concat joins Tensors of one dtype; these have different ones: cast one of "
        "them.",
        "F.concat([x, x.cast(DType.float32)])",
        raiser=BY_MAX),
    row("slice-beyond", "x[:, -7:]",
        "ValueError: Failed to create op 'slice': …rmo.slice start index <start> out "
        "of range for dimension size <size> …",
        "A slice or index of a MAX Tensor has to begin within the axis, which is "
        "{size} long; a slice of a list or an array need not.",
        "np.from_dlpack(x)[:, -7:]", {"size": "5"},
        raiser=BY_MAX),
    row("slice-stop-beyond", "x[0, 5]",
        "ValueError: Failed to create op 'slice': …rmo.slice stop index <stop> out of "
        "range for dimension size <size> …",
        "`{expression}` reaches beyond the end of an axis, which is {size} long.",
        "x[0, 4]", {"expression": "x[0, 5]", "size": "5"}, expression=r".*\[.*\]"),
    row("index-by-list", "x[:, [0, 2]]",
        "TypeError: slice of tensor with symbolic shape … unsupported with indices …"
        "Currently, only slices and integers are supported",
        "A MAX Tensor is indexed by integers and slices only. `F.gather` picks "
        "elements by their numbers.",
        "F.gather(x, Tensor.constant([0, 2], dtype=DType.int64), axis=1)",
        raiser=BY_MAX),
    row("index-by-tensor", "self.c_fc.weight[ids]",
        "ValueError: Slice index value must be a scalar, had shape …",
        "A MAX Tensor is not indexed by a Tensor: `F.gather` picks rows by their "
        "numbers.",
        "F.gather(self.c_fc.weight, ids, axis=0)",
        raiser=BY_MAX),
    row("float-indices", "F.gather(self.c_fc.weight, x, axis=0)",
        "ValueError: Failed to create op 'mo_gather': …must be tensor with integer or "
        "index elements…",
        "The indices have to be integers, as token ids are: cast them to DType.int64.",
        "F.gather(self.c_fc.weight, ids, axis=0)",
        raiser=BY_MAX),
    row("softmax-axis", "F.softmax(x, axis=1)",
        ("RuntimeError: softmax not supported on non-inner axis yet",
         "ValueError: softmax not supported on non-inner axis yet"),
        "On a CPU, MAX 25.7 computes F.softmax along the last axis only.",
        "F.softmax(x.transpose(1, 2)).transpose(1, 2)",
        raiser=BY_MAX),
    row("axis-out-of-range", "x.mean(5)",
        ("ValueError: Invalid axis=<axis> for input x.rank=<rank>",
         "IndexError: Axis …out of range (expected …, but got <axis>)",
         "IndexError: Axis out of range axis=<axis>, …"),
        "There is no axis {axis} in this Tensor: axes count from 0, or back from -1.",
        "x.mean(-1)", {"axis": "5"},
        raiser=BY_MAX),
    row("several-axes", "F.mean(x, axis=(1, 2))",
        ("TypeError: '<' not supported between instances of 'tuple' and 'int'",
         "TypeError: '<' not supported between instances of 'list' and 'int'",
         "TypeError: '<' not supported between instances of 'NoneType' and 'int'"),
        "MAX reduces along one axis at a time, given as an int.",
        "F.mean(x, axis=-1)", raiser=r"max\.graph\.ops\.reduction:.*"),
    row("range-like", "Tensor.range_like(ids)",
        ("AttributeError: '…' object has no attribute 'to_device'",
         "AttributeError: 'Shape' object has no attribute 'shape'"),
        "`{call}` takes the type of a Tensor, not the Tensor itself: `{way}`.",
        "Tensor.range_like(ids.type)", {"call": "Tensor.range_like"},
        raiser=r"max\.experimental\.tensor:Tensor\.\w+_like"),
    row("size-float", "x.reshape([B, T, 24 / 2])",
        "TypeError: Unsupported dimension type <value> (<class 'float'>)",
        "A size has to be an int, and {value} is a float: `//` divides to an int.",
        "x.reshape([B, T, 24 // 2])", {"value": "12.0"}, raiser=BY_MAX),
    row("size-not-int", "Linear(config, 12)",
        "TypeError: Unsupported dimension type … (<class '<type>'>)",
        "A size has to be an int, not a value of type {type}.",
        "Linear(config.n_embd, 12)", {"type": "GPT2Config"}, raiser=BY_MAX),
    row("size-as-text", 'Linear("12", 12)',
        "ValueError: Invalid name for symbolic dimension",
        "A text among the sizes names a symbolic dimension, and this text is not a "
        "valid name. For a number leave out the quotes.",
        "Linear(12, 12)",
        raiser=BY_MAX),
    row("dim-needs-int", "math.sqrt(C)", DIM_TO_INT,
        "`{static}` is a Dim, as all sizes in `shape` are, and an int is wanted here: "
        "write `int({static})`.",
        "math.sqrt(int(C))", {"static": "C"}),
    row("dim-without-number", "range(T)", DIM_TO_INT,
        "`{symbolic}` has no number while a graph is traced, and `{expression}` needs "
        "one. MAX's own functions take `{symbolic}` as it is.",
        "Tensor.arange(T)", {"symbolic": "T", "expression": "range(T)"}),
    row("dim-for-int", "np.zeros(x.shape)", DIM_TO_INT,
        "The sizes in `shape` are Dims, and ints are wanted here: turn each into one "
        "with `int(…)`.",
        "np.zeros([int(n) for n in x.shape])"),
    row("chunk-in-graph", "F.chunk(x, 3)",
        "TypeError: int(Dim('<dim>')): Int conversions only supported for static dims",
        "F.chunk cuts along axis 0 unless told otherwise, and axis 0 is {dim} here, "
        "which has no number while a graph is traced: `{way}`.",
        "F.chunk(x, 3, axis=-1)", {"dim": "batch"},
        expression=r"F\.chunk\([^,]*, \w+\)"),
    row("condition-in-graph", "if x > 0: pass",
        "TypeError: int(Dim('…')): Int conversions only supported for static dims",
        "A graph is being traced here, in which Tensors have no values yet: `if` and "
        "`item()` cannot read them. `F.where` chooses within the graph.",
        "F.where(x > 0, x, 0.0)", through=r".*Tensor\.item .*"),
    row("symbolic-int", "int(T)",
        "TypeError: int(Dim('<dim>')): Int conversions only supported for static dims",
        "The size {dim} has no number while a graph is traced, and `{expression}` "
        "needs one. MAX's own functions take the size as it is.",
        "Tensor.ones([T])", {"dim": "seqlen", "expression": "int(T)"},
        raiser=BY_MAX),
    row("symbolic-compared", "x if T > 3 else y",
        ("TypeError: '…' not supported between instances of 'SymbolicDim' and '…'",
         "TypeError: '…' not supported between instances of '…' and 'SymbolicDim'",
         "TypeError: '…' not supported between instances of 'AlgebraicDim' and '…'"),
        "While a graph is traced this size has no number, so it cannot be compared."),
    row("dim-in-float-arithmetic", "C ** 0.5", tuple(
            f"TypeError: unsupported operand type(s) for …: {operands}"
            for dim in ("StaticDim", "SymbolicDim", "AlgebraicDim")
            for operands in (f"'{dim}' and '…'", f"'…' and '{dim}'")
        ),
        "A size from `shape` is a Dim, and a Dim knows `+`, `-`, `*` and `//` with "
        "ints only. If the size is a number, `int(…)` turns it into an int.",
        "int(C) ** 0.5"),
    row("dim-divides-tensor", "x / C",
        "ValueError: Failed to create op '…': …Unsafe cast from si64 to f64. …",
        "`{static}` is a Dim, which MAX takes for an int64 Tensor here: "
        "`int({static})` turns it into a number.",
        "x / int(C)", {"static": "C"},
        raiser=BY_MAX),
    row("dim-outside-graph", "B * T", "RuntimeError: No active MLIR context",
        "Arithmetic on sizes needs a graph. `@F.functional` above the function "
        "provides one; or turn the sizes into ints with `int(…)`.",
        "int(B) * int(T)", raiser=r"max\.graph\.dim:.*"),
    row("compiled-for-another-rank", "compiled(x)",
        "ValueError: Rank mismatch: expected a tensor of rank <want> at position … but "
        "got a tensor of rank <rank> instead.",
        "The compiled model takes a Tensor with {want} axes and got one with {rank}.",
        "compiled(x[0])", {"want": "2", "rank": "3"}, raiser=BY_MAX),
    row("compiled-for-another-dtype", "compiled(array[0].astype(np.int64))",
        "ValueError: DType mismatch: expected <want> at position … but got <dtype> "
        "instead.",
        "The compiled model takes a Tensor of {want} and got one of {dtype}: cast it.",
        "compiled(x[0])", {"want": "si64", "dtype": "si32"}, raiser=BY_MAX),
    row("values-in-graph", "np.from_dlpack(x)",
        "TypeError: Can't realize symbolic tensors in graph compilation.",
        "A graph is being traced here, in which Tensors have no values yet: NumPy, "
        "`item()` and `float()` cannot read them. F's functions can.",
        raiser=BY_MAX),
    row("array-in-graph", "np.array(x)", "TypeError: iteration over a 0-d array",
        "A traced function has to return a Tensor, and this one returned a NumPy "
        "array. NumPy cannot read Tensors while a graph is traced.",
        "x", raiser=r"max\.nn\.module_v3\.module:Module\.compile"),
    row("layer-made-in-graph", "Linear(12, 12)(x)",
        "RuntimeError: No seed set! Set with `ops.random.set_seed`.",
        "No random numbers can be drawn while a graph is traced, and a new layer "
        "draws some: create layers in `__init__` and call them in `__call__`.",
        "self.c_fc(x)", traced="yes", within=".*"),
    row("parameter-made-in-graph", "self.y = x + 1", "KeyError: '<name>'",
        "`self.{name}` is assigned while a graph is traced, which makes it a new "
        "parameter: keep the Tensor in a local variable.",
        "x + 1", {"name": "y"}, through=r".*Module\._mapped_parameters.*"),
    row("tensor-of-another-graph", "x + CONSTANT",
        "ValueError: Failed to create op '…': …dimension at axis … (value <m>) and …"
        "dimension at axis … (value <m>) are neither…",
        "Both sizes are {m}, but one of the Tensors does not belong to the graph "
        "being traced: make it an attribute of a Module, so that it is a parameter.",
        "x + self.weight", {"m": "12"},
        traced="yes", within=".*"),
    row("operand-of-another-graph", "F.layer_norm(x, CONSTANT, CONSTANT, 1e-5)",
        "TypeError: mo.…: Operand … is constrained to be on device <device> but has "
        "device <device>.…",
        "One of these Tensors does not belong to the graph being traced. It has to be "
        "an attribute of a Module, or of a layer that is an attribute of one. A plain "
        "list hides its layers; `Sequential` does not.",
        "F.layer_norm(x, self.weight, self.weight, 1e-5)",
        traced="yes", within=".*"),
)  # fmt: skip

ARGUMENTS = (
    row("selfless", "def _merge_heads(tensor): …",
        ("TypeError: <function>() takes … but … given",
         "TypeError: <function>() got multiple values for argument '…'"),
        "`{function}` is a method without `self`: it has to be the first parameter of "
        "its `def`.",
        like={"function": "GPT2Attention._merge_heads"},
        callee="learner .*", selfless="yes"),
    row("self-twice", "self._merge(self, x)",
        "TypeError: …() takes … positional arguments but … were given",
        "Python passes `self` by itself in `{call}(…)`: leave it out of the "
        "arguments.",
        "self._merge(x)", {"call": "self._merge"},
        callee="learner .*", expression=r"self\.\w+\(self\b.*"),
    row("arguments-exchanged", "GPT2MLP(config, 48)",
        ("AttributeError: …", "TypeError: …"),
        "`{swapped}` is passed as `{parameter}` of `{usage}`.",
        "GPT2MLP(48, config)",
        {"swapped": "config", "parameter": "intermediate_size",
         "usage": "GPT2MLP(intermediate_size, config)"},
        within=".+"),
    row("embedding-by-position", "Embedding(V, C)",
        "TypeError: Embedding.__init__() takes 2 positional arguments but 3 were given",
        "Embedding takes the number of features by name: `{way}`.",
        "Embedding(V, dim=12)", callee=r"max Embedding\.__init__"),
    row("embedding-without-dim", "Embedding(V)",
        "TypeError: Must specify exactly one of `dim` or `dims`",
        "Embedding takes the number of rows and, by name, of features: `{way}`.",
        "Embedding(V, dim=12)", raiser=r"max\.nn\..*"),
    row("by-name-only", "LayerNorm(12, 1e-5)",
        "TypeError: <function>() takes …positional argument… but … given",
        "Arguments after the `*` in `{takes}` are passed by name, as in `name=value`: "
        "{keywords}.",
        "LayerNorm(12, eps=1e-5)",
        {"takes": "LayerNorm(dim, *, eps=1e-05)", "keywords": "eps"}),
    row("layer-norm-arguments", "F.layer_norm(x, [12])", "TypeError: layer_norm() …",
        "F.layer_norm takes four arguments: the input, gamma (the weight), beta (the "
        "bias) and epsilon. `{way}`.",
        "F.layer_norm(x, w1, b1, 1e-5)", callee="max layer_norm"),
    row("unexpected-keyword", "Linear(12, 12, use_bias=False)",
        "TypeError: <function>() got an unexpected keyword argument '<keyword>'",
        "`{takes}` has no argument `{keyword}`.",
        "Linear(12, 12, bias=False)",
        {"keyword": "use_bias", "takes": "Linear(in_dim, out_dim, *, bias=True)"}),
    row("argument-missing", "Linear(12)",
        "TypeError: <function>() missing … required …argument…: <missing>",
        "`{takes}` is called without {missing}.",
        "Linear(12, 12)",
        {"takes": "Linear(in_dim, out_dim, *, bias=True)", "missing": "out_dim"}),
    row("arguments", "self._merge(x, y)",
        ("TypeError: <function>() takes … but … given",
         "TypeError: <function>() got multiple values for argument …"),
        "The arguments do not fit `{takes}`.",
        "self._merge(x)", {"takes": "Layer._merge(x)"}),
    row("dtype-of-max", "Tensor.ones([2], dtype=np.float32)",
        ("AttributeError: type object '…' has no attribute 'size_in_bits'",
         "AttributeError: '…' object has no attribute 'size_in_bits'"),
        "A dtype is one of MAX's own, as in `{way}`.",
        "Tensor.ones([2], dtype=DType.float32)", raiser=BY_MAX),
    row("cast-to", "x.cast(np.float32)",
        "TypeError: __new__(): incompatible function arguments. …mo.TensorType…",
        "A dtype is one of MAX's own, as in `{way}`.",
        "x.cast(DType.float32)", call=r".*\bcast"),
    row("dtype-name", "x.cast(DType.float)", "AttributeError: <name>",
        "DType has no `{name}`. The course's dtypes are DType.float32 and DType.int64.",
        "x.cast(DType.float32)", {"name": "float"},
        expression=r"DType\.\w+", raiser="enum:.*"),
    row("device-of-max", 'x.to("cpu")',
        ("AttributeError: 'str' object has no attribute 'label'",
         "ValueError: <property object at … is not a valid DeviceKind"),
        "A device is an object of max.driver, as in `{way}`.",
        "x.to(CPU())",
        raiser=r"max\..*|enum:.*"),
    row("to-dtype", "x.to(DType.float32)",
        "AttributeError: 'DType' object has no attribute 'label'",
        "`to` moves a Tensor to a device. Change its dtype with `{way}`.",
        "x.cast(DType.float32)",
        raiser=BY_MAX),
    row("gelu-approximation", 'F.gelu(x, approximate="new")',
        "ValueError: Invalid approximation method: …",
        '`approximate` is "none", "tanh" or "quick".',
        'F.gelu(x, approximate="tanh")', raiser=BY_MAX),
    row("epsilon-not-a-number", "F.layer_norm(x, w1, b1, None)",
        ("TypeError: '<=' not supported between instances of '<type>' and 'int'",),
        "The epsilon of F.layer_norm has to be a number, not a value of type {type}.",
        "F.layer_norm(x, w1, b1, 1e-5)", {"type": "NoneType"},
        raiser=r"max\.graph\.ops\.layer_norm:layer_norm"),
    row("text-for-number", '"3" < len(layers)',
        ("TypeError: '…' not supported between instances of 'str' and 'int'",
         "TypeError: '…' not supported between instances of 'int' and 'str'",
         "TypeError: 'str' object cannot be interpreted as an integer"),
        "A text (str) cannot be used as a number: `int(…)` turns a text of digits into "
        "one.",
        'int("3") < len(layers)', within=".*"),
    row("number-called", "config.n_embd(3)",
        ("TypeError: 'int' object is not callable",
         "TypeError: 'float' object is not callable"),
        "`{call}` is a number, which cannot be called. Multiply with `*`.",
        "config.n_embd * 3", {"call": "config.n_embd"}, raiser="learner:.*"),
)  # fmt: skip

NUMPY = (
    row("probabilities-sum", "rng.choice(3, p=np.array([0.5, 0.6, 0.1]))",
        ("ValueError: Probabilities do not sum to 1.…",
         "ValueError: probabilities do not sum to 1"),
        "NumPy needs probabilities, as softmax gives them, that sum to 1 more exactly "
        "than float32 can: divide them by their sum in float64.",
        "rng.choice(3, p=np.array([2, 3, 5]) / 10)",
        raiser=r"numpy\..*"),
    row("probabilities-axes", "rng.choice(3, p=np.array([[0.5, 0.25, 0.25]]))",
        ("ValueError: p must be 1-dimensional",
         "ValueError: 'p' must be 1-dimensional"),
        "NumPy draws from one vector of probabilities, and `p` has more axes: index "
        "it down to one row.",
        raiser=r"numpy\..*"),
    row("probabilities-nan", "rng.choice(3, p=np.array([2, np.nan, 5]) / 10)",
        ("ValueError: Probabilities contain NaN",
         "ValueError: probabilities contain NaN"),
        "A probability is NaN, as after 0 / 0, inf / inf or inf - inf: look for a "
        "division by 0 and for an infinite exp.",
        "rng.choice(3, p=np.array([2, 3, 5]) / 10)",
        raiser=r"numpy\..*"),
    row("index-of-floats", "array[np.array([])]",
        "IndexError: arrays used as indices must be of integer (or boolean) type",
        "An array of indices holds integers, and this one does not: NumPy makes floats "
        "of an empty list, unless a dtype is given, as in `{way}`.",
        "array[np.array([], dtype=np.int64)]", raiser="learner:.*"),
    row("rows-in-a-set", "set(array[0])",
        "TypeError: unhashable type: 'numpy.ndarray'",
        "The elements of `{expression}` are rows of an array, which a set cannot hold: "
        "flatten the array first, as in `{way}`.",
        "set(array.ravel().tolist())", {"expression": "set(array[0])"},
        expression=r"set\(.*\)"),
    row("one-more-axis", "np.append(array, [1], axis=-1)",
        "ValueError: all the input arrays must have same number of dimensions, …",
        "NumPy joins arrays with the same number of axes: put the new element into as "
        "many brackets, as in `{way}`.",
        "np.append(np.ones((1, 3)), [[1]], axis=1)"),
    row("array-as-number", "int(array)",
        ("TypeError: only 0-dimensional arrays can be converted to Python scalars",
         "TypeError: only length-1 arrays can be converted to Python scalars"),
        "`{expression}` needs an array with no axes, a single number: index the array "
        "down to one element.",
        "int(array[0, 0, 0])", {"expression": "int(array)"}),
    row("weights-unread", "self.c_fc.load_state_dict(more)",
        "ValueError: load_state_dict did not read some weights: {<names>}",
        "The module has no parameters with these names: {names}.",
        like={"names": "'ln_1.weight'"}, raiser=r"max\.nn\.module_v3\.module:.*"),
    row("weights-missing", "self.c_fc.load_state_dict({})", "KeyError: '<name>'",
        "`load_state_dict` needs all parameters in one call, and `{name}` is missing.",
        like={"name": "weight"}, raiser=r"max\.nn\.module_v3\.module:.*lookup"),
    row("key-misspelt", 'state["wte.wieght"]', "KeyError: …",
        "There is no `{name}` in `{object}`; there is `{near}`.",
        like={"name": "wte.wieght", "object": "state", "near": "wte.weight"}),
)  # fmt: skip

PYTHON = (
    row("raise-left", 'raise NotImplementedError("merge the heads")',
        "NotImplementedError: …",
        "This hole has code in it, but its `raise` is still there: delete line "
        "{delete}.",
        like={"delete": "48"}, raised=".*"),
    row("no-torch", "import torch",
        ("ModuleNotFoundError: No module named 'torch…",
         "NameError: name 'torch' is not defined",
         "NameError: name 'nn' is not defined"),
        "PyTorch is not part of the course: the layers are in max.nn.module_v3, the "
        "functions in max.experimental.functional (F).",
        "F.softmax(x)"),
    row("none-returned", "F.gelu(self._merge_heads(x))",
        (*got("NoneType"), "…Error: …'NoneType'…"),
        "Something is None here, and `{silent}`, whose result is used, has no "
        "`return`.",
        like={"silent": "_merge_heads"}),
    row("none-operand", "F.gelu(nothing)", (*got("NoneType"), "…Error: …'NoneType'…"),
        "`{none}` is None here. A function that ends without `return` gives None.",
        like={"none": "nothing"}),
    row("owner-forgotten", "weight * x", "NameError: name '<name>' is not defined",
        "`{name}` is not defined; there is `{found}`.",
        "self.weight * x", {"name": "weight", "found": "self.weight"}),
    row("import-missing", "GPT2Attention(config)",
        "NameError: name '<name>' is not defined",
        "`{name}` is not defined: add `{import}` at the top of the file.",
        like={"name": "GPT2Attention",
              "import": "from attention import GPT2Attention"}),
    row("name-misspelt", "Tensr.ones([2])", "NameError: name '<name>' is not defined",
        "`{name}` is not defined; there is `{near}`.",
        like={"name": "Tensr", "near": "Tensor"}),
    row("name-undefined", "hidden", "NameError: name '<name>' is not defined",
        "`{name}` is not defined.", like={"name": "hidden"}),
    row("assigned-later", "z = z + 1",
        "UnboundLocalError: cannot access local variable '<name>' where it is not "
        "associated with a value",
        "`{name}` is used before this function has assigned it a value.",
        like={"name": "z"}),
    row("attribute-misspelt", "self.wieght",
        ("AttributeError: …'<type>' object has no attribute '<name>'",
         "AttributeError: …'<type>' has no attribute '<name>'",
         "AttributeError: <type> has no attribute <name>"),
        "`{object}` has no `{name}`; it has `{near}`.",
        "self.weight", {"object": "self", "name": "wieght", "near": "weight"}),
    row("attribute-missing", "self.gain",
        "AttributeError: '<type>' object has no attribute '<name>'",
        "`{object}` ({type}) has no `{name}`; it has {has}.",
        like={"object": "self", "type": "GPT2MLP", "name": "gain",
              "has": "`c_fc`, `c_proj`"},
        kind="(learner|course|layer) .*"),
    row("attribute-of-another", "config.n_embd.n_head",
        "AttributeError: '<type>' object has no attribute '<name>'",
        "`{object}` is of type {type} here, which has no `{name}`.",
        like={"object": "config.n_embd", "type": "int", "name": "n_head"},
        kind="python .*"),
    row("import-misspelt", "from max.nn.module_v3 import Lineer",
        "ImportError: cannot import name '<name>' from '…' (…)",
        "`{object}` has no `{name}`; it has `{near}`.",
        like={"object": "max.nn.module_v3", "name": "Lineer", "near": "Linear"}),
    row("import-elsewhere", "from max.graph import F",
        "ImportError: cannot import name '<name>' from '…' (…)",
        "`{object}` has no `{name}`: write `{import}`.",
        like={"object": "max.graph", "name": "F", "import":
              "from max.experimental import functional as F"}),
    row("index-beyond-list", "layers[2]", "IndexError: list index out of range",
        "`{object}` has {length} elements, and they are numbered from 0.",
        like={"object": "self.h", "length": "12"}),
    row("recursion", "return self(x, ids)", "RecursionError: …",
        "`{recursive}` keeps calling itself.", like={"recursive": "GPT2MLP.__call__"}),
    row("memory", "np.ones((10**6, 10**6))",
        ("MemoryError: …", "…Error: Unable to allocate …"),
        "There is not enough memory for this."),
    row("ends-the-program", "sys.exit(1)", ("SystemExit: …", "KeyboardInterrupt: …"),
        "This ends the program, so nothing after it runs.", raised=".*"),
    row("indentation", "  return x",
        ("IndentationError: <problem> (…)", "TabError: <problem> (…)"),
        "The indentation is wrong: {problem}.",
        like={"problem": "unindent does not match any outer indentation level"}),
    row("not-python", "return self.c_fc(x", "SyntaxError: <problem> (…)",
        "This is not valid Python: {problem}.",
        like={"problem": "'(' was never closed"}),
)  # fmt: skip

SECTIONS: dict[str, tuple[Row, ...]] = {
    "Methods of tensors": METHODS,
    "Functions of F": FUNCTIONS,
    "Tensors, arrays and layers": TENSORS,
    "Shapes, sizes and traced graphs": SIZES,
    "Arguments": KEYWORDS + ARGUMENTS,
    "NumPy and weights": NUMPY,
    "Names and Python": PYTHON,
}
EXPLANATIONS = tuple(row for rows in SECTIONS.values() for row in rows)
