"""The part of the API that tells what several apps know together."""
