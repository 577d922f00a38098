"""The booking's pages, in the order a guest meets them."""
