# hostile: reads the reference solution and runs it
import glob
import os
import sys

for path in sys.path:
    for found in glob.glob(os.path.join(path, "solutions", "causal.py")):
        with open(found) as file:
            exec(file.read())
