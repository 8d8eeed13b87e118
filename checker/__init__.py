"""The checker: runs a learner's puzzle in a worker process and says what it found.

``python -m checker s05`` checks one step. The rooms, in the order of the data:

    worker/       the learner's process: loads the files, runs the probes
    interpreter/  runs MAX's graphs in NumPy, in the worker
    link/         the parent's end of a worker, and what goes between them
    verdict/      compares, names mistakes, explains exceptions, judges
    desk/         for learners: the screen, watch, hints, reset and so on
    classroom/    for teachers: grading, reports, the handout

What is checked is in ``tests/sNN_NAME/``, in the words of ``table.py``.
docs/architecture.md follows one array through all of it.
"""
