"""What the same machine and driver could do at best, measured beside what is compared with it."""
