"""Facts about an exception, so that an explanation claims no more than is known.

A fact is a text under a name; one that does not apply or cannot be found out is absent.

raiser      where it was raised: "max.graph.shape:Shape.__init__", "learner:GPT2MLP.…"
through     the functions between the learner's line and that place, which included
within      the course's own function below the learner's line where it went wrong
raised      "yes" where it was raised by a ``raise`` of the learner's
traced      "yes" inside ``Module.compile``, where tensors have no values
expression  the source that failed, and ``call`` the function called in it
layer, array, tensor, list, text, number, none, static, symbolic
            its first operand or argument of that sort, as written; ``layer_type`` is
            the layer's class; static and symbolic are MAX's two sorts of Dim
callee      the function whose arguments do not fit, as "owner name"; ``takes`` is how
            it is called, ``keywords`` what it takes by name only, and ``selfless`` is
            "yes" where it is a method without ``self``
swapped     an argument that is given as ``parameter``, though another parameter of
            ``usage`` bears its name
name        what is not there (a name, attribute, key, import); ``object`` in what, and
            ``kind`` the class of that; ``near`` a like name that is there, ``has`` the
            attributes there are, ``found`` and ``elsewhere`` where the name is, and
            ``import`` how it is imported
hole        the hole that is open; ``delete`` the line of its ``raise`` with code beside
silent      a function used at the learner's line that has no ``return``
recursive   the learner's function that keeps calling itself
length      how many elements the list has in which one was looked for in vain
"""

import ast
import dis
import functools
import inspect
import linecache
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType, ModuleType
from typing import Any

from checker.worker import look

FUNCTIONAL = "max.experimental.functional"
TENSOR = "max.experimental.tensor"
MODULE = "max.nn.module_v3.module"
SELF = ("self", "cls", "this", "me", "_")
SORTS = {
    "max Tensor": "tensor", "numpy ndarray": "array", "python NoneType": "none",
    "python list": "list", "python tuple": "list", "python range": "list",
    "python str": "text", "python int": "number", "python float": "number",
    "max StaticDim": "static", "max SymbolicDim": "symbolic",
}  # fmt: skip


@dataclass
class Scene:
    """An exception with its tracebacks, ``own`` being those of the learner's files."""

    error: Any
    message: str
    all: list[Any]
    own: list[Any]
    files: dict[str, dict[str, Any]]

    @functools.cached_property
    def node(self) -> Any:
        """The expression of the learner's innermost line."""
        return look.expression(self.own[-1])

    @property
    def frame(self) -> FrameType:
        frame: FrameType = self.own[-1].tb_frame
        return frame

    @property
    def here(self) -> bool:
        """Whether the learner's innermost line itself raised it."""
        return bool(self.own) and self.all[-1] is self.own[-1]

    def place(self, tb: Any) -> str:
        """ "module:function"; the learner's modules are all called "learner"."""
        own = any(tb is each for each in self.own)
        module = "learner" if own else tb.tb_frame.f_globals.get("__name__", "")
        return f"{module}:{tb.tb_frame.f_code.co_qualname}"

    def owner(self, module: object) -> str:
        """Whose a module is: "learner", "course" (a reference), "max", "python", …"""
        if module in self.files:
            return "learner" if self.files[str(module)]["learner"] else "course"
        top = str(module).partition(".")[0]
        return "python" if top in sys.stdlib_module_names else top

    def kind(self, thing: Any) -> str:
        """ "max Tensor", "layer Linear", "class max Tensor", "module numpy"."""
        if type(thing) is ModuleType:
            return f"module {thing.__name__}"
        mro = look.classes(thing)
        named = f"{self.owner(mro[0].__module__)} {mro[0].__name__}"
        if look.is_a(thing, type):
            return f"class {named}"
        layer = any((c.__module__, c.__name__) == (MODULE, "Module") for c in mro)
        return f"layer {mro[0].__name__}" if layer else named

    def called(self) -> Any:
        """The function whose arguments do not fit: the message begins with its name."""
        tb = self.all[-1]
        function = look.function(look.expression(tb), tb.tb_frame)
        need(self.message.startswith(f"{function.__qualname__}() "))
        return function

    def definition(self) -> list[Any]:
        """[path, line, name, code] of that function, where it is the learner's."""
        code = self.called().__code__
        need(
            code.co_filename in {f["path"] for f in self.files.values() if f["learner"]}
        )
        lines = linecache.getlines(code.co_filename)
        for line in range(code.co_firstlineno, len(lines) + 1):  # below the decorators
            if (text := lines[line - 1].strip()).startswith("def "):
                return [code.co_filename, line, code.co_name, text]
        return []


def facts(scene: Scene) -> dict[str, str]:
    """All facts that can be found out."""
    found: dict[str, str] = {}
    for find in FINDERS:
        try:
            facts = find(scene)
            found |= {name: str(text)[:300] for name, text in facts.items() if text}
        except BaseException:  # an object of the learner's may raise anything
            continue
    return found


def need(condition: object) -> None:
    """A fact that does not apply is not there."""
    if not condition:
        raise LookupError


# Where, and what was written


def _where(scene: Scene) -> dict[str, Any]:
    places = [scene.place(tb) for tb in scene.all]
    below = scene.all.index(scene.own[-1]) + 1 if scene.own else 0
    course = [
        place for place in places[below:] if place.partition(":")[0] in scene.files
    ]
    code, at = scene.all[-1].tb_frame.f_code.co_code, scene.all[-1].tb_lasti
    raised = scene.here and dis.opname[code[at]] == "RAISE_VARARGS"
    return {
        "raiser": places[-1],
        "through": " ".join(list(dict.fromkeys(places[below:]))[-12:]),
        "raised": "yes" if raised else "",
        "within": course[0] if scene.own and course else "",
        "traced": "yes" if f"{MODULE}:Module.compile" in places else "",
    }


def _written(scene: Scene) -> dict[str, Any]:
    call = isinstance(scene.node, ast.Call)
    return {
        "expression": ast.unparse(scene.node),
        "call": ast.unparse(scene.node.func) if call else "",
    }


def _operands(scene: Scene) -> dict[str, Any]:
    found: dict[str, Any] = {}
    call = isinstance(scene.node, ast.Call)
    for number, node in enumerate(look.parts(scene.node)):
        kind = _sort(scene, node)
        sort = "layer" if kind.startswith("layer ") else SORTS.get(kind, "")
        if call and number and sort in ("number", "list"):
            continue  # an axis, a shape: what is worked on comes first
        if sort and sort not in found:
            found[sort] = ast.unparse(node)
            found |= {"layer_type": kind.split()[1]} if sort == "layer" else {}
    if call and _sort(scene, scene.node.func) == "python NoneType":
        found["none"] = ast.unparse(scene.node.func)
    return found


def _sort(scene: Scene, node: ast.expr) -> str:
    """The kind of a part of the expression, "" where it is not known."""
    if isinstance(node, ast.List | ast.Tuple):
        return "python list"
    if isinstance(node, ast.Constant) and node.value is None:
        return ""
    try:
        return scene.kind(look.value(node, scene.frame))
    except Exception:
        return ""


# What does not fit, what is not there


def _arguments(scene: Scene) -> dict[str, Any]:
    function = scene.called()
    parameters = inspect.signature(function).parameters
    method = _owner(function) not in ("", "<locals>")
    return {
        "callee": f"{scene.owner(function.__module__)} {function.__qualname__}",
        "takes": _usage(function),
        "keywords": ", ".join(_by_name(parameters)),
        "selfless": "yes" if method and next(iter(parameters), "") not in SELF else "",
    }


def _owner(function: Any) -> str:
    """The class that a function is defined in, "" or "<locals>" for none."""
    return str(("", *function.__qualname__.split("."))[-2])


def _by_name(parameters: Mapping[str, inspect.Parameter]) -> list[str]:
    only = inspect.Parameter.KEYWORD_ONLY
    return [name for name, each in parameters.items() if each.kind is only]


def _usage(function: Any) -> str:
    """How a function is called: "LayerNorm(dim, *, eps=1e-05)"."""
    parameters = inspect.signature(function).parameters
    by_name, owner = _by_name(parameters), _owner(function)
    shown = {name: _shown(parameter) for name, parameter in parameters.items()}
    names = [shown[name] for name in parameters if name not in (*SELF, *by_name)]
    star = ["*", *(shown[name] for name in by_name)] if by_name else []
    method = f"{owner}." if owner not in ("", "<locals>") else ""
    name = owner if function.__name__ == "__init__" else method + function.__name__
    return f"{name}({', '.join([*names, *star])})"


def _shown(parameter: inspect.Parameter) -> str:
    """A parameter, with its default where that is a plain value."""
    if parameter.default is inspect.Parameter.empty:
        return parameter.name
    plain = type(parameter.default) in (bool, int, float, str, type(None))
    return f"{parameter.name}={repr(parameter.default)[:24] if plain else '…'}"


def _exchanged(scene: Scene) -> dict[str, Any]:
    """An argument that bears the name of another parameter than its own."""
    function = look.function(scene.node, scene.frame)
    need(scene.owner(function.__module__) in ("learner", "course"))
    parameters = [p for p in inspect.signature(function).parameters if p != "self"]
    for parameter, argument in zip(parameters, scene.node.args, strict=False):
        name = ast.unparse(argument)
        if name != parameter and name in parameters:
            return {"swapped": name, "parameter": parameter, "usage": _usage(function)}
    return {}


def _unknown(scene: Scene) -> dict[str, Any]:
    """A name that is defined nowhere."""
    error = scene.error
    need(scene.here and type(error) is NameError)
    names = [name for scope in look.scopes(scene.frame) for name in scope]
    near, found = look.near(error.name, names), _found(scene, error.name)
    home = _home(scene, error.name)
    return {"name": error.name, "near": near, "found": found, "import": home}


def _home(scene: Scene, name: str) -> str:
    """How a name of another file of the course is imported."""
    for module, file in scene.files.items():
        defined = re.search(rf"^(class|def) {name}\b", file["source"], re.MULTILINE)
        if defined and scene.frame.f_globals.get("__name__") != module:
            return f"from {module} import {name}"
    return ""


def _found(scene: Scene, name: str) -> str:
    """Where a name without its owner is: "self.weight", "config.n_embd"."""
    variables = dict(scene.frame.f_locals)
    inner = look.variables(variables.get("self"))
    owners = {name: variables[name] for name in ["self"] if name in variables}
    owners |= variables | {f"self.{name}": each for name, each in inner.items()}
    for owner, thing in owners.items():
        ours = scene.kind(thing).split()[0] in ("learner", "course", "layer")
        if ours and look.has(thing, name):
            return f"{owner}.{name}"
    return ""


def _attribute(scene: Scene) -> dict[str, Any]:
    """An attribute that an object or a module does not have."""
    error, node = scene.error, scene.node
    need(isinstance(error, AttributeError) and isinstance(node, ast.Attribute))
    need(re.search(rf"\b{node.attr}'?$", scene.message))
    known = scene.here and error.name == node.attr
    owner = error.obj if known else look.value(node.value, scene.frame)
    own = [name for name in look.variables(owner) if name[:1] != "_"][:8]
    kind = scene.kind(owner)
    return {
        "name": node.attr,
        "object": ast.unparse(node.value),
        "kind": kind,
        "near": look.near(node.attr, look.public(owner)),
        "has": "" if kind.startswith("module") else ", ".join(f"`{n}`" for n in own),
        "elsewhere": _elsewhere(kind, node.attr),
    }


def _elsewhere(kind: str, name: str) -> str:
    """A function of F for a method that Tensor lacks, and the other way round."""
    functions = vars(sys.modules[FUNCTIONAL])
    methods = vars(vars(sys.modules[TENSOR])["Tensor"])
    if kind.endswith("max Tensor"):
        return f"F.{name}" if name in functions else ""
    if kind == f"module {FUNCTIONAL}" or kind.startswith("layer "):
        return f"Tensor.{name}" if name in methods else ""
    return ""


def _key(scene: Scene) -> dict[str, Any]:
    need(scene.here and type(scene.error) is KeyError)
    owner, name = look.value(scene.node.value, scene.frame), scene.error.args[0]
    near = look.near(name, owner) if type(owner) is dict else ""
    return {"name": name, "near": near, "object": ast.unparse(scene.node.value)}


def _import(scene: Scene) -> dict[str, Any]:
    need(isinstance(scene.error, ImportError) and scene.error.name)
    found = re.match(r"cannot import name '(\w+)' from '", scene.message)
    if found is None:
        raise LookupError
    near = look.near(found[1], vars(sys.modules[scene.error.name]))
    home = _home(scene, found[1])
    return {"name": found[1], "object": scene.error.name, "near": near, "import": home}


# What else there is to be seen


def _hole(scene: Scene) -> dict[str, Any]:
    """The hole whose ``raise`` it was, and whether code is beside that."""
    need(scene.here and isinstance(scene.error, NotImplementedError))
    line = scene.own[-1].tb_lineno
    lines = linecache.getlines(scene.frame.f_code.co_filename)
    indent = lines[line - 1][: -len(lines[line - 1].lstrip())]
    start = next(n for n in range(line, 0, -1) if "# hole: " in lines[n - 1])
    end = lines.index(f"{indent}# end\n", line) + 1
    need(lines[start - 1].startswith(f"{indent}# hole: "))
    need(lines[line - 1].startswith(f"{indent}raise NotImplementedError"))
    beside = [*lines[start : line - 1], *lines[line : end - 1]]
    code = [text for text in beside if text.strip() and text.strip()[0] != "#"]
    name = lines[start - 1].partition("# hole: ")[2].strip()
    return {"hole": name, "delete": line if code else ""}


def _silent(scene: Scene) -> dict[str, Any]:
    """A function that returns nothing, though its result is used where None is."""
    need("None" in scene.message)
    source = "".join(linecache.getlines(scene.frame.f_code.co_filename))
    nodes = list(ast.walk(ast.parse(source)))
    alone = [node.value for node in nodes if isinstance(node, ast.Expr)]
    used = {_name(node) for node in nodes if node not in alone}
    used &= {name for tb in scene.own for name in tb.tb_frame.f_code.co_names}
    defined = [n for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    silent = [node.name for node in defined if node.name in used and not _returns(node)]
    others = [node.name for node in defined if _returns(node)]
    return {"silent": next((name for name in silent if name not in others), "")}


def _name(node: ast.AST) -> str:
    """What a call calls, without its owner."""
    if not isinstance(node, ast.Call):
        return ""
    return ast.unparse(node.func).rpartition(".")[2]


def _returns(node: ast.AST) -> bool:
    """Whether a function returns something, or is no plain function."""
    return not isinstance(node, ast.FunctionDef) or any(
        isinstance(each, ast.Yield | ast.Raise) or getattr(each, "value", None)
        for each in ast.walk(node)
        if isinstance(each, ast.Return | ast.Yield | ast.Raise)
    )


def _recursion(scene: Scene) -> dict[str, Any]:
    need(isinstance(scene.error, RecursionError))
    code, times = Counter(tb.tb_frame.f_code for tb in scene.own).most_common(1)[0]
    return {"recursive": code.co_qualname if times > 50 else ""}


def _length(scene: Scene) -> dict[str, Any]:
    need(scene.here and type(scene.error) is IndexError)
    owner = look.value(scene.node.value, scene.frame)
    need(type(owner) in (list, tuple))
    return {"length": len(owner), "object": ast.unparse(scene.node.value)}


FINDERS: tuple[Callable[[Scene], dict[str, Any]], ...] = (
    *(_where, _written, _operands, _arguments, _exchanged, _unknown, _attribute),
    *(_key, _import),
    *(_hole, _silent, _recursion, _length),
)
