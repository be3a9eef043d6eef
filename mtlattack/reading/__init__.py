"""Reading what strangers wrote: bounded, strict, nothing behind links."""
