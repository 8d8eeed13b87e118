"""What a finished GPT-2 is good for: programs on the learner's own files."""
