"""Where something is: CRSs, transforms between frames, and the operations that join them."""
