"""An issue reaches everyone once: the audience frozen, the ledger kept, mails handed over."""
