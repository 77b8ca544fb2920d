"""Speed, measured against a floor of the same run. `python -m bench [NAME]` prints one JSON line per figure."""
