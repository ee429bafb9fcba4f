"""What a model does, to be looked at: pictures by matplotlib, and a page."""
