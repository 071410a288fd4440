"""PyTorch on the network and batches of `training.py`: an epoch and its seconds for each line read.

Run by `training.py --torch PYTHON` with the Python of an environment that has PyTorch; the events
are tensors from the start, as in the compiled epoch.

    python benchmarks/torch_peer.py EVENTS DROPOUT THREADS
"""

from __future__ import annotations

import sys
import time

import torch


def main(events: int, dropout: float, threads: int) -> None:
    if threads:
        torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 2, (events,), generator=generator).float()
    features = torch.randn(events, 25, generator=generator)
    features[:, 0] += labels
    weights = torch.where(torch.rand(events, generator=generator) < 0.1, -1.0, 1.0)
    layers: list[torch.nn.Module] = []
    width = 25
    for _ in range(3):
        layers += [torch.nn.Linear(width, 64), torch.nn.ReLU()]
        if dropout:
            layers.append(torch.nn.Dropout(dropout))
        width = 64
    network = torch.nn.Sequential(*layers, torch.nn.Linear(width, 1))
    optimiser = torch.optim.Adam(network.parameters(), 1e-3, weight_decay=1e-5)
    loss = torch.nn.BCEWithLogitsLoss(reduction="none")

    def epoch() -> None:
        for chosen in torch.randperm(events, generator=generator).split(1024):
            optimiser.zero_grad(set_to_none=True)
            value = loss(network(features[chosen])[:, 0], labels[chosen])
            (value * weights[chosen]).mean().backward()
            optimiser.step()

    for _ in sys.stdin:
        start = time.perf_counter(), time.process_time()
        epoch()
        print(time.perf_counter() - start[0], time.process_time() - start[1], flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
