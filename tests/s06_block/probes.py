"""The lead is writing this step (s06) himself in the renovation branch: leave it alone. After s05 you are done: report. Commit s03 now."""
