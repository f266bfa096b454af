"""A page to show around: one HTML file, without a request to anywhere."""
