"""Print what the GPU is, and how fast it multiplies large matrices of bfloat16."""

import json
import statistics

import torch

SIZE = 8192
REPEATS = 20


def main():
    first, second = (
        torch.randn(SIZE, SIZE, device="cuda", dtype=torch.bfloat16) for _ in range(2)
    )
    for _ in range(3):
        first @ second
    milliseconds = statistics.median(time_once(first, second) for _ in range(REPEATS))
    found = {
        "name": torch.cuda.get_device_name(),
        "tflops": 2 * SIZE**3 / milliseconds / 1e9,
    }
    print(json.dumps(found))


def time_once(first, second):
    """Milliseconds of one product, by the GPU's own clock."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    first @ second
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end)


if __name__ == "__main__":
    main()
