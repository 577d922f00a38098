"""From the coach's Markdown to what a mail program, the archive and the feed show."""
