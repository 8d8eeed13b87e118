"""The checker: runs a learner's puzzle in a worker process and says what it found.

``python -m checker s05`` checks one step. The house, one verb a file:

    command line   __main__.py
    load, probe    worker.py, probe.py, interpreter.py   (the worker process)
    compare        compare.py
    diagnose       diagnose.py
    report         report.py
    the whole      check.py, with process.py holding the worker by its collar

What is checked stands in ``tests/sNN_NAME.py``, in the words of ``table.py``.
"""
