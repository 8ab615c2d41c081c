"""Watches: standing questions about streams, and what becomes of them. A watch outlives whoever made it."""
