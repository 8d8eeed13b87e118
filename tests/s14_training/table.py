"""Step 14, ``training.py``: cross-entropy, clipping, AdamW, the schedule, the Trainer.

Oracles: the definition of cross-entropy; Pascanu et al. 2013, algorithm 1; Loshchilov
and Hutter 2019, algorithm 2, in the order of ``torch.optim.AdamW``; Loshchilov and
Hutter 2017, equation 5. ``tests/course/test_training.py`` compares them with PyTorch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np

from checker.table import Check, Flaw, Mistake, Table, distinct, flaws, refusals
from checker.verdict.compare import same
from tests.s07_model import table as gpt2
from tests.s14_training import probes
from tests.s14_training.probes import BATCHES, GRADIENTS, TEXTS, TIED, UPDATES, WEIGHTS
from tests.support.data import Array
from tests.support.formulas import softmax
from tests.support.rows import name_missing

Dict = dict[str, Any]
row = partial(Check, tolerance=1e-4)


def apart(oracle: Callable[..., Any], *rows: Flaw, tolerance: float = 1e-4) -> Any:
    """The mistakes that are wrong here, each outcome once."""

    def known() -> tuple[Mistake, ...]:
        every = Mistake("right", "", gives=oracle), *flaws(oracle, *rows)
        return distinct(*every, like=lambda a, b: same(a, b, tolerance))[1:]

    return known


def missing(function: str) -> tuple[Mistake, ...]:
    return (
        *name_missing(function),
        *refusals(
            ("not-a-tensor", "What is returned is not a MAX Tensor.",
             "not a MAX Tensor"),
            ("nothing-returned", "Nothing is returned: a `return` is missing.",
             "is None: is a `return` missing"),
        ),
    )  # fmt: skip


# The loss


def log_softmax(z: Array, axis: int = -1) -> Array:
    z = z - z.max(axis, keepdims=True)
    return z - np.log(np.exp(z).sum(axis, keepdims=True))


def at(values: Array, targets: Array) -> Array:
    """Those of the targets: [B, T, V] -> [B, T]."""
    return np.take_along_axis(values, targets[..., None], -1)[..., 0]


def cross_entropy(
    name: str,
    *,
    scores: Callable[[Array], Array] = log_softmax,
    pick: Callable[[Array, Array], Array] = at,
    mean: Callable[[Array], Any] = np.mean,
    sign: float = -1.0,
) -> Array:
    text = TEXTS[name]
    logits = text.logits.astype(np.float64)
    found = np.asarray(sign * mean(pick(scores(logits), text.targets)), np.float32)
    return found.reshape(1) if found.size == 1 else found


def rolled(values: Array, targets: Array) -> Array:
    """Each position predicts the target after its own, as if they were not shifted."""
    return at(values[:, :-1], targets[:, 1:])


SURPRISE: tuple[Flaw, ...] = (
    ("sign", "the sign is missing: the logarithm of a probability is negative",
     dict(sign=1.0)),
    ("not-averaged", "the surprise of each token is returned; the loss is their mean",
     dict(mean=lambda x: x)),
    ("sum", "the surprises are added up; the loss is their mean", dict(mean=np.sum)),
    ("sum-over-tokens", "the surprises of a row are added up, and their mean is taken "
     "over the rows", dict(mean=lambda x: x.sum(-1).mean())),
    ("sum-over-rows", "the surprises of a position are added up over the rows",
     dict(mean=lambda x: x.sum(0).mean())),
    ("last-token-only", "only the last position counts; all do",
     dict(mean=lambda x: x[:, -1].mean())),
    ("no-logarithm", "the probabilities of the targets are averaged, without a "
     "logarithm", dict(scores=softmax)),
    ("no-softmax", "the logits of the targets are averaged: they are no logarithms of "
     "probabilities", dict(scores=lambda z: z)),
    ("softmax-over-tokens", "the softmax runs over the positions, not the vocabulary",
     dict(scores=partial(log_softmax, axis=1))),
    ("softmax-over-rows", "the softmax runs over the rows, not the vocabulary",
     dict(scores=partial(log_softmax, axis=0))),
    ("softmax-twice", "the softmax is taken of probabilities: log_softmax of softmax",
     dict(scores=lambda z: log_softmax(softmax(z)))),
    ("in-bits", "the logarithm has the base 2; here it is the natural one",
     dict(scores=lambda z: log_softmax(z) / math.log(2))),
    ("mean-over-the-vocabulary", "all tokens of the vocabulary count, as if each were "
     "the target", dict(pick=lambda x, targets: x.mean(-1))),
    ("divided-by-the-vocabulary", "the sum over the vocabulary is a mean: the loss is "
     "V times too small", dict(mean=lambda x: x.mean() / probes.V)),
    ("most-probable", "the most probable token counts, not the target",
     dict(pick=lambda x, targets: x.max(-1))),
    ("shifted-again", "the targets are shifted once more; they are the next tokens "
     "already", dict(pick=rolled)),
)  # fmt: skip


# Clipping


def norm(arrays: Any) -> float:
    return math.sqrt(
        sum(float((each.astype(np.float64) ** 2).sum()) for each in arrays)
    )


def clip(
    name: str,
    limit: float,
    *,
    scale: Callable[[list[Array], float], Any] = lambda all_, limit: (
        min(limit / norm(all_), 1.0) if norm(all_) else 1.0
    ),
) -> list[Array]:
    """Each gradient times a scale, or times its own."""
    arrays = [each.astype(np.float64) for each in GRADIENTS[name]]
    factor = scale(arrays, limit)
    factors = factor if isinstance(factor, list) else [factor] * len(arrays)
    with np.errstate(all="ignore"):
        return [
            (each * f).astype(np.float32)
            for each, f in zip(arrays, factors, strict=True)
        ]


def capped(value: float, limit: float) -> float:
    return min(limit / value, 1.0) if value else 1.0


CLIPPING: tuple[Flaw, ...] = (
    ("not-clipped", "the gradients are returned as they were",
     dict(scale=lambda g, limit: 1.0)),
    ("each-alone", "each gradient is shortened by its own norm; the norm is that of "
     "all numbers together", dict(scale=lambda g, limit: [
         capped(norm([each]), limit) for each in g])),
    ("by-value", "each number is cut at the limit; all are to be scaled by one factor",
     dict(scale=lambda g, limit: [
         np.clip(each, -limit, limit) / np.where(each == 0, 1, each) for each in g])),
    ("norm-without-root", "the squares are added up, but the root is missing",
     dict(scale=lambda g, limit: capped(norm(g) ** 2, limit))),
    ("always-scaled", "short gradients are made longer: the factor is at most 1",
     dict(scale=lambda g, limit: limit / norm(g) if norm(g) else np.nan)),
    ("largest-number", "the largest number is taken for the norm",
     dict(scale=lambda g, limit: capped(max(np.abs(e).max() for e in g), limit))),
    ("sum-of-norms", "the norms of the gradients are added up; the norm of all numbers "
     "together is the root of the sum of all squares",
     dict(scale=lambda g, limit: capped(sum(norm([each]) for each in g), limit))),
    ("sum-of-magnitudes", "magnitudes are added up, not squares",
     dict(scale=lambda g, limit: capped(sum(np.abs(e).sum() for e in g), limit))),
    ("mean-square", "the mean of the squares is taken, not their sum",
     dict(scale=lambda g, limit: capped(
         norm(g) / math.sqrt(sum(e.size for e in g)), limit))),
    ("turned-round", "the factor is norm / limit; it is limit / norm",
     dict(scale=lambda g, limit: min(norm(g) / limit, 1.0))),
    ("limit-ignored", "the norm becomes 1, whatever the limit is",
     dict(scale=lambda g, limit: capped(norm(g), 1.0))),
)  # fmt: skip


# AdamW


def adamw(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    *,
    step: float,
    rate: float,
    decay: float = 0.0,
    beta1: float = 0.9,
    beta2: float = 0.95,
    eps: float = 1e-8,
    gradient: Callable[..., Any] = lambda g, p, decay: g,
    square: Callable[[Array], Array] = lambda g: g * g,
    correct: tuple[bool, bool] = (True, True),
    number: Callable[[float], float] = lambda step: step,
    divisor: Callable[..., Any] = lambda v, eps: np.sqrt(v) + eps,
    first: Callable[..., Any] = lambda m, new, b: b * m + (1 - b) * new,
    second: Callable[..., Any] = lambda v, new, b: b * v + (1 - b) * new,
    used: Callable[..., Any] = lambda new, old: new,
    take: Callable[..., Any] = lambda p, rate, decay, by: p - rate * (by + decay * p),
    kept: Callable[..., Any] = lambda m, v, m_hat, v_hat: (m, v),
) -> tuple[Array, Array, Array]:
    """The keyword arguments from ``gradient`` on make the mistakes."""
    p, g, m, v = (each.astype(np.float64) for each in (p, g, m, v))
    g = gradient(g, p, decay)
    m_new, v_new = first(m, g, beta1), second(v, square(g), beta2)
    n = number(step)
    m_hat = used(m_new, m) / ((1 - beta1**n) if correct[0] else 1)
    v_hat = v_new / ((1 - beta2**n) if correct[1] else 1)
    with np.errstate(all="ignore"):
        by = m_hat / divisor(v_hat, eps)
    return take(p, rate, decay, by), *kept(m_new, v_new, m_hat, v_hat)


def updated(name: str, **flaw: Any) -> Dict:
    update = UPDATES[name]
    numbers = {**update.numbers, **{k: v for k, v in flaw.items() if k in DEFAULTS}}
    flaws_ = {k: v for k, v in flaw.items() if k not in DEFAULTS}
    found = adamw(*update.arrays, **numbers, **flaws_)  # type: ignore[arg-type]
    return {n: np.float32(each) for n, each in zip("pmv", found, strict=True)}


DEFAULTS = ("decay", "beta1", "beta2", "eps")
STEPPING: tuple[Flaw, ...] = (
    ("gradient-ascent", "the step goes along the gradient, and makes the loss larger",
     dict(take=lambda p, rate, decay, by: p + rate * by - rate * decay * p)),
    ("not-corrected", "the moments are not divided by 1 - beta^step",
     dict(correct=(False, False))),
    ("first-not-corrected", "m is not divided by 1 - beta1^step",
     dict(correct=(False, True))),
    ("second-not-corrected", "v is not divided by 1 - beta2^step",
     dict(correct=(True, False))),
    ("step-one-more", "the correction is that of the next step; steps count from 1",
     dict(number=lambda step: step + 1)),
    ("step-not-an-exponent", "beta is multiplied by the step; the step is its exponent",
     dict(number=lambda step: 1)),
    ("decay-in-the-gradient", "the decay is added to the gradient and passes through "
     "the moments: this is Adam with L2; AdamW takes it from the parameter",
     dict(gradient=lambda g, p, decay: g + decay * p,
          take=lambda p, rate, decay, by: p - rate * by)),
    ("decay-without-rate", "the decay is not multiplied by the rate",
     dict(take=lambda p, rate, decay, by: p - rate * by - decay * p)),
    ("decay-added", "the decay makes the parameter larger",
     dict(take=lambda p, rate, decay, by: p - rate * (by - decay * p))),
    ("decay-ignored", "nothing decays",
     dict(take=lambda p, rate, decay, by: p - rate * by)),
    ("decay-of-the-new", "the parameter decays after the step; it decays as it was "
     "before",
     dict(take=lambda p, rate, decay, by: (p - rate * by) * (1 - rate * decay))),
    ("v-without-root", "the root of v is missing",
     dict(divisor=lambda v, eps: v + eps)),
    ("eps-under-the-root", "eps is added under the root; it is added to the root",
     dict(divisor=lambda v, eps: np.sqrt(v + eps))),
    ("eps-ignored", "eps is left out", dict(divisor=lambda v, eps: np.sqrt(v))),
    ("no-square", "v is a mean of the gradient; it is one of its square",
     dict(square=lambda g: g)),
    ("magnitude", "v is a mean of the gradient's magnitude, not of its square",
     dict(square=np.abs)),
    ("old-moment", "the step uses the moment from before, without the new gradient",
     dict(used=lambda new, old: old)),
    ("no-momentum", "the step uses the gradient's sign of this step alone: m is not "
     "used", dict(first=lambda m, new, b: new)),
    ("betas-swapped", "beta1 and beta2 change places in what is added",
     dict(first=lambda m, new, b: (1 - b) * m + b * new,
          second=lambda v, new, b: (1 - b) * v + b * new)),
    ("gradient-not-weighted", "the gradient is added in full; it counts 1 - beta",
     dict(first=lambda m, new, b: b * m + new, second=lambda v, new, b: b * v + new)),
    ("corrected-kept", "the corrected moments are returned; the next step needs those "
     "before the correction", dict(kept=lambda m, v, m_hat, v_hat: (m_hat, v_hat))),
    ("moments-exchanged", "v is returned before m; the order is p, m, v",
     dict(kept=lambda m, v, m_hat, v_hat: (v, m))),
)  # fmt: skip
USUAL: tuple[Flaw, ...] = (
    ("default-beta2", "beta2 is 0.999 by default; it should be 0.95",
     dict(beta2=0.999)),
    ("default-decay", "there is a decay by default; it should be 0", dict(decay=0.01)),
    ("default-decay", "there is a decay by default; it should be 0", dict(decay=0.1)),
)  # fmt: skip
QUIET: tuple[Flaw, ...] = (
    ("default-eps", "eps is not 1e-8 by default", dict(eps=1e-6)),
    ("default-eps", "eps is not 1e-8 by default", dict(eps=1e-5)),
    ("default-eps", "eps is not 1e-8 by default", dict(eps=0.0)),
)  # fmt: skip


# The learning rate


def rate(
    step: int,
    *,
    peak: float,
    warmup: int,
    steps: int,
    floor: float = 0.0,
    up: Callable[..., float] = lambda step, peak, warmup, floor: peak * step / warmup,
    part: Callable[..., float] = lambda step, warmup, steps: min(
        (step - warmup) / max(steps - warmup, 1), 1.0
    ),
    down: Callable[..., float] = lambda part, peak, floor: (
        floor + (peak - floor) * (1 + math.cos(math.pi * part)) / 2
    ),
) -> float:
    if step < warmup:
        return up(step, peak, warmup, floor)
    return down(part(step, warmup, steps), peak, floor)


def rates(steps: list[int], settings: Dict, **flaw: Any) -> list[float]:
    return [rate(step, **settings, **flaw) for step in steps]


RATES: tuple[Flaw, ...] = (
    ("no-warmup", "there is no warm-up: the rate begins at the peak",
     dict(up=lambda step, peak, warmup, floor: peak)),
    ("warmup-one-early", "the warm-up is a step early: it begins above 0",
     dict(up=lambda step, peak, warmup, floor: peak * (step + 1) / warmup)),
    ("warmup-from-floor", "the warm-up begins at the floor; it begins at 0",
     dict(up=lambda step, peak, warmup, floor: floor + (peak - floor) * step / warmup)),
    ("cosine-from-zero", "the cosine counts from step 0; it begins after the warm-up",
     dict(part=lambda step, warmup, steps: min(step / steps, 1.0))),
    ("cosine-too-long", "the cosine ends after warmup + steps; it ends at steps",
     dict(part=lambda step, warmup, steps: min((step - warmup) / steps, 1.0))),
    ("rises-again", "after the last step the rate rises again; it stays at the floor",
     dict(part=lambda step, warmup, steps: (step - warmup) / (steps - warmup))),
    ("line-down", "the rate falls in a line; it falls along half a cosine",
     dict(down=lambda part, peak, floor: peak + (floor - peak) * part)),
    ("quarter-of-a-cosine", "the rate falls along a quarter of a cosine, cos(pi/2 x)",
     dict(down=lambda part, peak, floor: floor
          + (peak - floor) * math.cos(math.pi * part / 2))),
    ("whole-cosine", "the rate becomes negative: 1 + cos, halved, is missing",
     dict(down=lambda part, peak, floor: floor
          + (peak - floor) * math.cos(math.pi * part))),
    ("not-halved", "1 + cos is between 0 and 2: it is to be halved",
     dict(down=lambda part, peak, floor: floor
          + (peak - floor) * (1 + math.cos(math.pi * part)))),
    ("floor-added", "the floor is added to the curve, which begins above the peak",
     dict(down=lambda part, peak, floor: floor
          + peak * (1 + math.cos(math.pi * part)) / 2)),
    ("floor-ignored", "the rate falls to 0; it falls to the floor",
     dict(down=lambda part, peak, floor: peak * (1 + math.cos(math.pi * part)) / 2)),
    ("floor-cuts", "the rate falls towards 0 and is cut at the floor",
     dict(down=lambda part, peak, floor: max(
         peak * (1 + math.cos(math.pi * part)) / 2, floor))),
    ("constant", "the rate stays at the peak",
     dict(down=lambda part, peak, floor: peak)),
)  # fmt: skip


# The Trainer


def surprised(w: Dict, ids: Array, targets: Array) -> tuple[float, Dict]:
    """The loss of the one-token model, and its gradients by name."""
    embedded, y = w["wte.weight"][ids.ravel()], targets.ravel()
    x = embedded * w["scale.weight"]
    z = x @ w["lm_head.weight"].T + w["lm_head.bias"]
    log_probs = log_softmax(z)
    dz = (np.exp(log_probs) - np.eye(probes.V)[y]) / len(y)
    d_wte = np.zeros_like(w["wte.weight"])
    dx = dz @ w["lm_head.weight"]
    np.add.at(d_wte, ids.ravel(), dx * w["scale.weight"])
    found = {
        "wte.weight": d_wte,
        "scale.weight": (dx * embedded).sum(0),
        "lm_head.weight": dz.T @ x,
        "lm_head.bias": dz.sum(0),
    }
    return -float(log_probs[np.arange(len(y)), y].mean()), found


@dataclass
class Trained:
    """The model of one token while it is trained: weights, and the moments of AdamW."""

    w: Dict
    pairs: list[tuple[str, str]]
    state: Dict = field(default_factory=dict)

    def step(
        self,
        found: Dict,
        clip: float | None,
        tie: Callable[[Array, Array], Array],
        decay_of: Callable[[Array], float],
        numbers: Dict,
    ) -> None:
        for name, other in self.pairs:
            found[other] = tie(found[other], found[name])
        trained = [name for name in self.w if name not in dict(self.pairs)]
        length = norm(found[name] for name in trained)
        scale = 1.0 if clip is None else min(clip / length, 1.0)
        for n in trained:
            w = self.w[n]
            m, v = self.state.get(n, (0 * w, 0 * w))
            self.w[n], *new = adamw(
                w, scale * found[n], m, v, decay=decay_of(w), **numbers
            )
            self.state[n] = tuple(new)
        for name, other in self.pairs:
            self.w[name] = self.w[other]


def train(
    *,
    tied: Any = (),
    weight_decay: float = 0.1,
    clip: float | None = 1.0,
    decays: Callable[[Array], bool] = lambda p: p.ndim > 1,
    number: Callable[[int], int] = lambda step: step,
    forget: bool = False,
    before: bool = True,
    tie: Callable[[Array, Array], Array] = np.add,
) -> Dict:
    """Losses and parameters; the keyword arguments from ``decays`` on are mistakes."""
    w = {name: each.astype(np.float64) for name, each in WEIGHTS.items()}
    made = Trained(w, [tuple(pair) for pair in tied])
    for name, other in made.pairs:
        w[name] = w[other]
    losses = []
    for step, ((ids, targets), lr) in enumerate(BATCHES, 1):
        loss, found = surprised(w, ids, targets)
        if forget:
            made.state = {}
        numbers = {"step": number(step), "rate": lr}
        made.step(found, clip, tie, lambda p: weight_decay * decays(p), numbers)
        losses.append(loss if before else surprised(w, ids, targets)[0])
    arrays = {name: np.float32(each) for name, each in w.items()}
    return {"losses": losses, **arrays, "held before": arrays["wte.weight"]}


CLIP_IGNORED = ("clip-ignored", "the gradients are not clipped", dict(clip=None))
TRAINING: tuple[Flaw, ...] = (
    CLIP_IGNORED,
    ("all-decay", "biases and weights of one dimension decay too; only what has more "
     "dimensions does", dict(decays=lambda p: True)),
    ("only-biases-spared", "all but biases decay; the weights of norms, which have one "
     "dimension, do not", dict(decays=lambda p: len(p) != probes.V or p.ndim > 1)),
    ("nothing-decays", "nothing decays; what has more than one dimension does",
     dict(decays=lambda p: False)),
    ("only-vectors-decay", "biases decay, and matrices do not",
     dict(decays=lambda p: p.ndim == 1)),
    ("step-stays-one", "each step counts as the first: does the number go up?",
     dict(number=lambda step: 1)),
    ("steps-from-zero", "the second step counts as the first: steps count from 1",
     dict(number=lambda step: max(step - 1, 1))),
    ("moments-forgotten", "the moments are 0 at each step; they are kept",
     dict(forget=True)),
    ("loss-after-the-step", "the loss is that after the step; it is that before",
     dict(before=False)),
    ("default-weight-decay", "weight_decay is not 0.1 by default",
     dict(weight_decay=0.01)),
    ("default-weight-decay", "weight_decay is not 0.1 by default",
     dict(weight_decay=0.0)),
)  # fmt: skip
CLIPS: tuple[Flaw, ...] = (
    CLIP_IGNORED,
    ("clip-of-one", "the gradients are clipped at 1, whatever clip says",
     dict(clip=1.0)),
)  # fmt: skip
TYING: tuple[Flaw, ...] = (
    ("one-of-the-tied", "the gradient of one of the tied parameters is left out; both "
     "are added up", dict(tie=lambda other, name: other)),
    ("one-of-the-tied", "the gradient of one of the tied parameters is left out; both "
     "are added up", dict(tie=lambda other, name: name)),
)  # fmt: skip
TRAINED = "trains a model of one token as AdamW says"
trainer_row = partial(row, where="Trainer", needs=(TRAINED,), tolerance=3e-4)


def training_row(name: str, settings: Dict, rows: Any, **more: Any) -> Check:
    answer = partial(train, **settings)
    return trainer_row(
        name, "trained", (settings,), expect=answer,
        mistakes=apart(lambda **flaw: train(**{**settings, **flaw}), *rows), **more,
    )  # fmt: skip


@cache
def first_loss() -> float:
    """That of the small GPT-2, by the oracle of step 7."""
    w, ids = probes.gpt_weights(), probes.IDS
    logits = gpt2.logits(ids[:, :-1], w, probes.GPT).astype(np.float64)
    return -float(at(log_softmax(logits), ids[:, 1:]).mean())


def learns(got: Any) -> str | None:
    """The loss of a small GPT-2 that sees one batch again and again."""
    first = first_loss()
    if abs(got[0] - first) > 1e-3:
        return f"the first loss is {got[0]:.4f}, want {first:.4f}"
    if not np.isfinite(got).all():
        return f"the losses are {got}"
    if got[-1] < 0.5 * got[0]:
        return None
    return f"after {len(got)} steps the loss is {got[-1]:.3f}; it was {got[0]:.3f}"


def together(got: Any) -> str | None:
    if not same(got["one"], got["other"], 1e-6):
        return "two models that are trained in turns have other losses than each other"
    return None


SURPRISED = "cross_entropy is the mean surprise, -log softmax(logits) at the target"
CLIPPED = "clip scales all gradients so that their norm is at most the limit"
UPDATED = "adamw takes a step from moments that are not 0"
STEPS = [0, 1, 3, 5, 6, 10, 17, 25, 29, 30, 31, 45]
SCHEDULE = {"peak": 0.6, "warmup": 5, "steps": 30, "floor": 0.15}


def surprise_row(name: str, text: str, *rows: Any, **more: Any) -> Check:
    return row(
        name, "surprise", (text,), expect=partial(cross_entropy, text),
        where="cross_entropy", **{"needs": (SURPRISED,), **more},
        mistakes=apart(partial(cross_entropy, text), *rows) if rows else (),
    )  # fmt: skip


def clip_row(name: str, of: str, limit: float, **more: Any) -> Check:
    answer = partial(clip, of, limit)
    return row(
        name, "clipped", (of, limit), expect=answer, where="clip",
        **{"needs": (CLIPPED,), "mistakes": apart(answer, *CLIPPING), **more},
    )  # fmt: skip


def update_row(name: str, of: str, rows: Any, **more: Any) -> Check:
    answer = partial(updated, of)
    return row(
        name, "updated", (of,), expect=answer, where="adamw",
        mistakes=apart(answer, *rows), **{"needs": (UPDATED,), **more},
    )  # fmt: skip


def rate_row(name: str, steps: list[int], settings: Dict, **more: Any) -> Check:
    answer = partial(rates, steps, settings)
    return row(
        name, "rates", (steps, settings), expect=answer, where="learning_rate",
        tolerance=1e-9, mistakes=apart(answer, *RATES, tolerance=1e-9), **more,
    )  # fmt: skip


TABLE = Table(
    uses=("config", "model", "autodiff"),
    checks=(
        surprise_row(SURPRISED, "plain", *SURPRISE, needs=()),
        surprise_row("cross_entropy works for logits of hundreds", "far"),
        surprise_row("cross_entropy works for one token", "one"),
        surprise_row("cross_entropy works for a vocabulary of 400", "many"),
        row("cross_entropy can be traced with any batch and length",
            "surprise_in_a_graph", expect=partial(cross_entropy, "plain"),
            where="cross_entropy", needs=(SURPRISED,)),
        clip_row(CLIPPED, "large", 2.5, needs=()),
        clip_row("clip leaves short gradients alone", "small", 2.5),
        clip_row("clip leaves zeros alone", "zero", 1.0, mistakes=()),
        clip_row("clip works for one gradient", "one", 0.01),
        row("clip can be traced", "clipped_in_a_graph", (2.5,), where="clip",
            expect=partial(clip, "large", 2.5), needs=(CLIPPED,)),
        update_row(UPDATED, "later", STEPPING, needs=()),
        update_row("adamw takes the first step", "first", STEPPING),
        update_row("by default: no decay, beta1 0.9, beta2 0.95", "usual", USUAL),
        update_row("by default: eps 1e-8, for gradients as small as 1e-9", "quiet",
                   QUIET),
        row("adamw can be traced, with step and rate as values", "updated_in_a_graph",
            where="adamw", expect=partial(updated, "later"), needs=(UPDATED,)),
        rate_row("learning_rate: up a line, down half a cosine, then the floor", STEPS,
                 SCHEDULE),
        rate_row("learning_rate starts at the peak without a warm-up", [0, 1, 8, 9],
                 {"peak": 0.6, "warmup": 0, "steps": 8, "floor": 0.15}),
        row("learning_rate falls to 0 by default", "rates",
            ([20, 21], {"peak": 2.0, "warmup": 4, "steps": 20}), where="learning_rate",
            expect=lambda: [0.0, 0.0], tolerance=1e-9),
        training_row(TRAINED, {}, TRAINING, needs=(SURPRISED, CLIPPED, UPDATED)),
        training_row("clips the gradients at clip", {"clip": 0.3}, CLIPS),
        training_row("does not clip if clip is None", {"clip": None},
                     (("clipped-anyway", "the gradients are clipped at 1",
                       dict(clip=1.0)),)),
        training_row("decays by weight_decay", {"weight_decay": 0.7},
                     (("weight-decay-ignored", "weight_decay is ignored: it is 0.1",
                       dict(weight_decay=0.1)),)),
        training_row("trains one of a tied pair, and the other holds its values",
                     {"tied": TIED}, TYING),
        trainer_row("keeps two trainers apart", "two_trainers", accept=together),
        trainer_row("makes a small GPT-2 know a text by heart", "gpt", accept=learns),
    ),
    compiled=row("compiled and run by MAX: the same losses and parameters", "trained",
                 ({},), expect=train, tolerance=3e-4),
)  # fmt: skip
