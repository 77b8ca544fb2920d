"""Real threads with connections of their own, for races."""

import threading

from django.db import connections


def run_together(*functions):
    """Run each function in a thread with a connection of its own, all starting at once; return results or errors."""
    start = threading.Barrier(len(functions))
    results = [None] * len(functions)

    def work(index, function):
        try:
            start.wait(timeout=20)
            results[index] = function()
        except Exception as error:  # whatever it is, the test looks at it
            results[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=item) for item in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results
