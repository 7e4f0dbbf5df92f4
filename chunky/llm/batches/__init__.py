"""The vendors' batch APIs: half the price, hours instead of seconds, and batches that outlive the process."""
