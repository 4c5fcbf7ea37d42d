-- checkpoint: everything that was written goes to the disk now.
-- parameters: none. locks: none that others wait for.
checkpoint
