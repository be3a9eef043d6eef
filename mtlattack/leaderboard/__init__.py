"""The leaderboard: rows that anyone can check, their ledger, and the pages that show them."""
