"""Looking at a frame's source and objects without calling any code of the learner's.

Whatever cannot be looked up so is a LookupError; objects may raise anything else too.
"""

import ast
import builtins
import difflib
import inspect
import linecache
from collections.abc import Iterable, Iterator
from types import FrameType, FunctionType, MethodType, ModuleType
from typing import Any

LOOKING = {"shape", "dtype", "device", "type", "rank"}
"""MAX's properties that only look; others add operations to a graph."""


def expression(tb: Any) -> ast.expr:
    """What a frame was evaluating when the exception left it, from its source."""
    code = tb.tb_frame.f_code
    first, last, start, end = list(code.co_positions())[tb.tb_lasti // 2]
    lines = linecache.getlines(code.co_filename)[first - 1 : last]
    encoded = [line.encode() for line in lines]
    encoded[-1] = encoded[-1][:end]
    encoded[0] = encoded[0][start:]
    return ast.parse(b"(" + b"".join(encoded) + b")", mode="eval").body


def parts(node: ast.expr) -> Iterator[ast.expr]:
    """Operands and arguments, and the elements of lists among them.

    What is called is none of them, and neither is anything inside another call.
    """
    match node:
        case ast.Call():
            found = [*node.args, *(keyword.value for keyword in node.keywords)]
            if isinstance(node.func, ast.Attribute):
                found.append(node.func.value)
        case ast.BinOp():
            found = [node.left, node.right]
        case ast.Compare():
            found = [node.left, *node.comparators]
        case ast.Subscript() | ast.Attribute():
            found = [node.value]
        case _:
            found = [node]
    for part in found:
        yield part
        if isinstance(part, ast.List | ast.Tuple):
            yield from part.elts


def value(node: ast.expr, frame: FrameType) -> Any:
    """What a constant, a name, an attribute or an element is."""
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            for scope in scopes(frame):
                if node.id in scope:
                    return scope[node.id]
        case ast.Attribute():
            return member(value(node.value, frame), node.attr)
        case ast.Subscript():
            owner = value(node.value, frame)
            if type(owner) in (list, tuple, dict) or type(owner).__name__ == "Shape":
                return owner[ast.literal_eval(node.slice)]
    raise LookupError


def scopes(frame: FrameType) -> tuple[dict[str, Any], ...]:
    """Where Python looks for a name."""
    return frame.f_locals, frame.f_globals, vars(builtins)


def is_a(thing: object, *types: type) -> bool:
    """As ``isinstance``, which asks an object for its ``__class__``."""
    return issubclass(type(thing), types)


def member(owner: Any, name: str) -> Any:
    """An attribute; of properties only those of MAX that look."""
    static = inspect.getattr_static(owner, name)
    if is_a(static, classmethod, staticmethod):
        return static.__get__(None, owner if is_a(owner, type) else type(owner))
    if is_a(static, FunctionType):
        bare = is_a(owner, type, ModuleType)
        return static if bare else MethodType(static, owner)
    if "__get__" in {name for c in type(static).__mro__ for name in vars(c)}:
        if type(owner).__module__.startswith("max.") and name in LOOKING:
            return getattr(owner, name)
        raise LookupError
    return static


def function(node: ast.expr, frame: FrameType) -> Any:
    """The Python function that runs for an expression, a property's included."""
    match node:
        case ast.Call(func=ast.Name(id="getattr"), args=[owner, name, *_]):
            return inspect.getattr_static(value(owner, frame), value(name, frame)).fget
        case ast.Attribute():
            return inspect.getattr_static(value(node.value, frame), node.attr).fget
        case ast.Call():
            called = value(node.func, frame)
        case _:
            raise LookupError
    if is_a(called, type):
        return inspect.getattr_static(called, "__init__")
    if is_a(called, FunctionType, MethodType):
        return getattr(called, "__func__", called)
    return inspect.getattr_static(type(called), "__call__")


def variables(owner: object) -> dict[str, Any]:
    """An object's own attributes."""
    try:
        found: dict[str, Any] = object.__getattribute__(owner, "__dict__")
        return found
    except AttributeError:
        return {}


def classes(owner: Any) -> tuple[type, ...]:
    """A class and its bases, or those of an object, without ``object``."""
    mro = type.mro(owner) if is_a(owner, type) else type.mro(type(owner))
    return tuple(each for each in mro if each is not object)


def has(owner: object, name: str) -> bool:
    return name in variables(owner) or any(name in vars(c) for c in classes(owner))


def public(owner: object) -> list[str]:
    """The public names of an object: its own, then those of its classes."""
    found = [*variables(owner), *(name for c in classes(owner) for name in vars(c))]
    return [name for name in dict.fromkeys(found) if name[:1] != "_"]


def near(name: str, names: Iterable[Any]) -> str:
    """The most like of the names, "" where none is like it."""
    folded = {n.lower(): n for n in names if isinstance(n, str) and n[:2] != "__"}
    found = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.75)
    return folded[found[0]] if found and folded[found[0]] != name else ""
