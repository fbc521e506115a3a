# For code that is to run on segmented stacks (stacks/segmented.h): copts = SPLIT_STACK_COPTS. It runs on any other
# stack too. Functions without this may be called from it, and run where there is room for them. The stack protector,
# which Bazel turns on, would make a function with an array in it such a caller: it calls the C library when it finds
# the frame damaged.
SPLIT_STACK_COPTS = [
    "-fsplit-stack",
    "-fno-stack-protector",
]
