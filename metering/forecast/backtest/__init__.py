"""The forecast judged on plain series: windows of the past, rules run bucket by bucket, and what they were worth."""
