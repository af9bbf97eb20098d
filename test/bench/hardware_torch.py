"""The ResNet training step of hardware.ts in PyTorch, eager, for comparison on the same GPU: prints JSON.

    python3 test/bench/hardware_torch.py [--network resnet50] [--batch 32] [--side 224] [--precision f32|tf32|f16] [--runs 20]

Needs torch and torchvision. Forward, cross-entropy over 1000 classes, backward, SGD with momentum 0.9; median of the runs,
each waited for. f16 is torch.autocast with a gradient scaler; f32 has TF32 switched off.
"""

import argparse
import json
import statistics
import time

import torch
import torchvision

parser = argparse.ArgumentParser()
parser.add_argument("--network", default="resnet50", choices=["resnet18", "resnet50"])
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--side", type=int, default=224)
parser.add_argument("--precision", default="f32", choices=["f32", "tf32", "f16"])
parser.add_argument("--runs", type=int, default=20)
parser.add_argument("--warm-up", type=int, default=5)
given = parser.parse_args()

kind = "cuda" if torch.cuda.is_available() else "mps" if hasattr(torch.backends, "mps") and torch.backends.mps.is_available() else "cpu"
device = torch.device(kind)
torch.manual_seed(1)
torch.backends.cuda.matmul.allow_tf32 = given.precision == "tf32"
torch.backends.cudnn.allow_tf32 = given.precision == "tf32"

half = given.precision == "f16"
if half and kind != "cuda":
    parser.error(f"f16 is measured on CUDA devices only, found {kind}")
network = getattr(torchvision.models, given.network)().to(device).train()
optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
scaler = torch.cuda.amp.GradScaler(enabled=half)
pictures = torch.rand(given.batch, 3, given.side, given.side, device=device) - 0.5
labels = torch.arange(given.batch, device=device) % 1000


def wait():
    if kind == "cuda":
        torch.cuda.synchronize()
    elif kind == "mps":
        torch.mps.synchronize()


def step():
    optimiser.zero_grad(set_to_none=True)
    with torch.autocast(kind if kind != "mps" else "cpu", dtype=torch.float16 if half else torch.bfloat16, enabled=half):
        loss = torch.nn.functional.cross_entropy(network(pictures), labels)
    scaler.scale(loss).backward()
    scaler.step(optimiser)
    scaler.update()


times = []
for run in range(given.warm_up + given.runs):
    wait()
    start = time.perf_counter()
    step()
    wait()
    if run >= given.warm_up:
        times.append(1000 * (time.perf_counter() - start))

median = statistics.median(times)
print(
    json.dumps(
        {
            "torch": torch.__version__,
            "device": torch.cuda.get_device_name() if kind == "cuda" else kind,
            "network": given.network,
            "batch": given.batch,
            "side": given.side,
            "precision": given.precision,
            "milliseconds": median,
            "leastMilliseconds": min(times),
            "picturesPerSecond": 1000 * given.batch / median,
        }
    )
)
