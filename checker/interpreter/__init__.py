"""A NumPy interpreter for the graphs of MAX 25.7.

MAX compiles every graph before it runs it, which takes seconds to minutes. A traced
graph can also be interpreted: it is a list of operations, each with a name, operands,
attributes and results.

- ``operations.py`` says in NumPy what each operation computes. To add an operation, add
  a row or a short function there, under the name that MAX prints.
- ``graph.py`` reads a graph from MLIR and runs it. Each result must have the shape that
  MAX gave it.
- ``patches.py`` puts this into MAX, with ``install()``: where an eager tensor gets its
  value, and where a graph is compiled.

What is missing here (an operation, a dtype, another device) and what goes wrong here is
left to MAX itself. Each time, the function given to ``listen`` is told in one line.
"""

from checker.interpreter.patches import (
    Interpreted,
    install,
    interpreting,
    listen,
    uninstall,
)

__all__ = ["Interpreted", "install", "interpreting", "listen", "uninstall"]
