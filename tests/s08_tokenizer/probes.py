"""The lead is writing this step (s08) himself in the renovation branch: leave it alone. After s02 and s01 you are done: report."""
