"""The lead is writing this step (s10) himself in the renovation branch: leave it alone. After s09 you are done: commit and report."""
