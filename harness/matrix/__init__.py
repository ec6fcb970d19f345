"""The matrix: many servers, each judged by a check in a process of its own, put side by side."""
