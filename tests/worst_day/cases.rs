//! Histories that once broke a promise, or would if something were taken away, as small as they get.
