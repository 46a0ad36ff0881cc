"""Networks of the zoo that no library provides, written from the descriptions of their architectures, and their random weights."""
import math

import torch
import torch.nn.functional as F
from torch import nn


def randomize(model):
    """Gives layers that start as zeros, ones or nearly nothing (norms, heads, layer scale) weights that keep activations of order 1.
    Batch norms get a positive shift: a deep random network with none amplifies rounding errors a hundredfold, unlike a trained one."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, module.in_features ** -0.5)
            if module.bias is not None:
                nn.init.normal_(module.bias, 0, 0.05)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, 0, 0.5)
        elif getattr(module, "weight", None) is not None and ("Norm" in type(module).__name__):
            nn.init.uniform_(module.weight, 0.8, 1.2)
            if getattr(module, "bias", None) is not None:
                nn.init.normal_(module.bias, *((0.5, 0.3) if "BatchNorm" in type(module).__name__ else (0, 0.1)))
    for name, parameter in model.named_parameters():
        last = name.split(".")[-1]
        if last in ("gamma", "layer_scale", "gamma_1", "gamma_2"):
            nn.init.uniform_(parameter, 0.2, 1.0)
        elif last in ("pos_embed", "cls_token", "relative_position_bias_table"):
            nn.init.normal_(parameter, 0, 0.5)


@torch.no_grad()
def settle_batch_norm(model, inputs, batches=3, batch=4):
    """Lets every batch norm see a few random batches, so that its statistics are those of its input."""
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    for _ in range(batches):
        model(*[torch.randn(batch, *x.shape[1:]) for x in inputs])
    model.eval()


def conv_bn(c_in, c_out, kernel=1, stride=1, groups=1, activation=nn.ReLU):
    pad = tuple(k // 2 for k in kernel) if isinstance(kernel, tuple) else kernel // 2
    return nn.Sequential(nn.Conv2d(c_in, c_out, kernel, stride, pad, groups=groups, bias=False), nn.BatchNorm2d(c_out), activation())


class DsCnn(nn.Module):
    """Keyword spotting as in MLPerf Tiny: 49 frames of 10 MFCCs, 4 depthwise-separable blocks of 64 channels, 12 classes."""

    def __init__(self):
        super().__init__()
        layers = [nn.ZeroPad2d((1, 1, 4, 5)), nn.Conv2d(1, 64, (10, 4), 2, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
        for _ in range(4):
            layers += [conv_bn(64, 64, 3, groups=64), conv_bn(64, 64)]
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 12), nn.Softmax(1))

    def forward(self, x):
        return self.body(x)


class Mlp(nn.Module):
    """Three small layers: what is left of a run when there is next to nothing to compute."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))

    def forward(self, x):
        return self.body(x)


class UNet(nn.Module):
    """Three levels down by max-pooling and up by transposed convolution, with skips by concatenation."""

    def __init__(self, channels=(16, 32, 64, 128), classes=2):
        super().__init__()
        double = lambda a, b: nn.Sequential(conv_bn(a, b, 3), conv_bn(b, b, 3))
        self.down = nn.ModuleList(double(a, b) for a, b in zip((1, *channels[:-1]), channels))
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in zip(channels[:-1], channels[1:]))
        self.merge = nn.ModuleList(double(2 * a, a) for a in channels[:-1])
        self.head = nn.Conv2d(channels[0], classes, 1)

    def forward(self, x):
        skips = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else F.max_pool2d(x, 2))
            skips.append(x)
        for level in reversed(range(len(self.up))):
            x = self.merge[level](torch.cat([skips[level], self.up[level](x)], 1))
        return self.head(x)


class Bottleneck(nn.Module):
    def __init__(self, channels, shortcut):
        super().__init__()
        self.body = nn.Sequential(conv_bn(channels, channels, 3, activation=nn.SiLU), conv_bn(channels, channels, 3, activation=nn.SiLU))
        self.shortcut = shortcut

    def forward(self, x):
        return x + self.body(x) if self.shortcut else self.body(x)


class SplitStage(nn.Module):
    """A cross-stage-partial block: half of the channels pass a chain of bottlenecks, and every step of the chain is concatenated."""

    def __init__(self, c_in, c_out, depth, shortcut):
        super().__init__()
        half = c_out // 2
        self.enter = conv_bn(c_in, c_out, activation=nn.SiLU)
        self.chain = nn.ModuleList(Bottleneck(half, shortcut) for _ in range(depth))
        self.leave = conv_bn((2 + depth) * half, c_out, activation=nn.SiLU)

    def forward(self, x):
        parts = list(self.enter(x).chunk(2, 1))
        for block in self.chain:
            parts.append(block(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class PyramidPool(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.enter = conv_bn(channels, channels // 2, activation=nn.SiLU)
        self.leave = conv_bn(channels * 2, channels, activation=nn.SiLU)

    def forward(self, x):
        parts = [self.enter(x)]
        for _ in range(3):
            parts.append(F.max_pool2d(parts[-1], 5, 1, 2))
        return self.leave(torch.cat(parts, 1))


class YoloNano(nn.Module):
    """An anchor-free one-stage detector of yolov8n's shape: 3.2 M parameters, strides 8, 16 and 32, boxes as distributions over 16 bins.
    Returns [N, 4 + classes, cells]: centre, size in pixels, then class probabilities."""

    def __init__(self, size=640, classes=80, bins=16):
        super().__init__()
        self.classes, self.bins = classes, bins
        down = lambda a, b: conv_bn(a, b, 3, 2, activation=nn.SiLU)
        self.stem = nn.Sequential(down(3, 16), down(16, 32), SplitStage(32, 32, 1, True), down(32, 64), SplitStage(64, 64, 2, True))
        self.middle = nn.Sequential(down(64, 128), SplitStage(128, 128, 2, True))
        self.deep = nn.Sequential(down(128, 256), SplitStage(256, 256, 1, True), PyramidPool(256))
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.top_down = nn.ModuleList([SplitStage(384, 128, 1, False), SplitStage(192, 64, 1, False)])
        self.shrink = nn.ModuleList([down(64, 64), down(128, 128)])
        self.bottom_up = nn.ModuleList([SplitStage(192, 128, 1, False), SplitStage(384, 256, 1, False)])
        head = lambda c, hidden, out: nn.Sequential(conv_bn(c, hidden, 3, activation=nn.SiLU), conv_bn(hidden, hidden, 3, activation=nn.SiLU),
                                                    nn.Conv2d(hidden, out, 1))
        self.box_heads = nn.ModuleList(head(c, 64, 4 * bins) for c in (64, 128, 256))
        self.class_heads = nn.ModuleList(head(c, 80, classes) for c in (64, 128, 256))
        points, strides = [], []
        for stride in (8, 16, 32):
            axis = torch.arange(size // stride) + 0.5
            y, x = torch.meshgrid(axis, axis, indexing="ij")
            points.append(torch.stack([x.flatten(), y.flatten()]))
            strides.append(torch.full((x.numel(),), float(stride)))
        self.register_buffer("points", torch.cat(points, 1))
        self.register_buffer("strides", torch.cat(strides))
        self.register_buffer("bin_values", torch.arange(bins, dtype=torch.float32).view(1, bins, 1, 1))

    def forward(self, image):
        fine = self.stem(image)
        middle = self.middle(fine)
        deep = self.deep(middle)
        middle = self.top_down[0](torch.cat([self.up(deep), middle], 1))
        fine = self.top_down[1](torch.cat([self.up(middle), fine], 1))
        middle = self.bottom_up[0](torch.cat([self.shrink[0](fine), middle], 1))
        deep = self.bottom_up[1](torch.cat([self.shrink[1](middle), deep], 1))
        n = image.shape[0]
        levels = [torch.cat([box(x), kind(x)], 1).view(n, 4 * self.bins + self.classes, -1)
                  for x, box, kind in zip((fine, middle, deep), self.box_heads, self.class_heads)]
        boxes, kinds = torch.cat(levels, 2).split((4 * self.bins, self.classes), 1)
        boxes = boxes.view(n, 4, self.bins, -1).transpose(1, 2).softmax(1)
        before, after = (boxes * self.bin_values).sum(1).chunk(2, 1)
        low, high = self.points - before, self.points + after
        return torch.cat([torch.cat([(low + high) / 2, high - low], 1) * self.strides, kinds.sigmoid()], 1)


class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width).uniform_(0.8, 1.2))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


class DecoderLayer(nn.Module):
    def __init__(self, width, heads, hidden):
        super().__init__()
        self.heads, self.head_dim = heads, width // heads
        self.norm1, self.norm2 = RmsNorm(width), RmsNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.gate_up, self.down = nn.Linear(width, 2 * hidden, bias=False), nn.Linear(hidden, width, bias=False)

    def rotate(self, x, cos, sin):
        left, right = x.chunk(2, -1)
        return x * cos + torch.cat([-right, left], -1) * sin

    def forward(self, x, past_k, past_v, cos, sin, mask):
        batch, length, width = x.shape
        q, k, v = (t.view(batch, length, self.heads, self.head_dim).transpose(1, 2) for t in self.qkv(self.norm1(x)).chunk(3, -1))
        q, k = self.rotate(q, cos, sin), self.rotate(k, cos, sin)
        k, v = torch.cat([past_k, k], 2), torch.cat([past_v, v], 2)
        weights = (q @ k.transpose(2, 3) / math.sqrt(self.head_dim) + mask).softmax(-1)
        x = x + self.out((weights @ v).transpose(1, 2).reshape(batch, length, width))
        gate, up = self.gate_up(self.norm2(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up), k, v


class Decoder(nn.Module):
    """A small llama-shaped decoder whose cache goes in and out: past_k, past_v [layers, N, heads, past, head_dim] -> present_k, present_v."""

    def __init__(self, vocabulary=512, width=128, layers=3, heads=4, hidden=352):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.layers = nn.ModuleList(DecoderLayer(width, heads, hidden) for _ in range(layers))
        self.norm, self.head = RmsNorm(width), nn.Linear(width, vocabulary, bias=False)
        dim = width // heads
        self.register_buffer("frequencies", 10000.0 ** (-torch.arange(0, dim, 2).float() / dim))

    def forward(self, input_ids, past_k, past_v):
        length, past = input_ids.shape[1], past_k.shape[3]
        keys = torch.arange(past + length, device=input_ids.device)
        queries = keys[past:]
        angles = queries[:, None].float() * self.frequencies[None]
        angles = torch.cat([angles, angles], -1)
        mask = torch.where(keys[None] > queries[:, None], -1e9, 0.0)
        x = self.embed(input_ids)
        new_k, new_v = [], []
        for index, layer in enumerate(self.layers):
            x, k, v = layer(x, past_k[index], past_v[index], angles.cos(), angles.sin(), mask)
            new_k.append(k)
            new_v.append(v)
        return self.head(self.norm(x)), torch.stack(new_k), torch.stack(new_v)


class Vocoder(nn.Module):
    """A HiFi-GAN-shaped generator: 1-D convolutions, transposed ones that upsample 64 times, dilated residual blocks, tanh."""

    def __init__(self, mels=80, width=64):
        super().__init__()
        self.enter = nn.Conv1d(mels, width, 7, padding=3)
        self.up, self.blocks = nn.ModuleList(), nn.ModuleList()
        for level, factor in enumerate((4, 4, 4)):
            c = width >> (level + 1)
            self.up.append(nn.ConvTranspose1d(2 * c, c, 2 * factor, factor, factor // 2))
            self.blocks.append(nn.ModuleList(nn.Conv1d(c, c, 3, dilation=d, padding=d) for d in (1, 3, 5)))
        self.leave = nn.Conv1d(width >> 3, 1, 7, padding=3)
        for parameter in self.parameters():
            if parameter.dim() == 3:
                nn.init.kaiming_normal_(parameter, a=0.1, mode="fan_in")

    def forward(self, mel):
        x = self.enter(mel)
        for up, blocks in zip(self.up, self.blocks):
            x = up(F.leaky_relu(x, 0.1))
            for block in blocks:
                x = x + block(F.leaky_relu(x, 0.1))
        return torch.tanh(self.leave(F.leaky_relu(x)))


class Cell(nn.Module):
    """A recurrent cell to be scripted: its loop and branch become ONNX Loop and If."""

    def __init__(self, width: int = 16):
        super().__init__()
        self.mix = nn.Linear(2 * width, width)
        self.width = width

    def forward(self, x: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        state = torch.zeros([x.shape[0], self.width])
        for i in range(int(steps)):
            state = torch.tanh(self.mix(torch.cat([x, state], 1)))
            if bool(state.mean() > 0):
                state = state * 0.5
            else:
                state = state + x
        return state


class Rnn(nn.Module):
    """An LSTM or GRU, features last, that returns the sequence and its final states."""

    def __init__(self, kind, features, width, layers, bidirectional):
        super().__init__()
        self.rnn = kind(features, width, layers, batch_first=True, bidirectional=bidirectional)

    def forward(self, x):
        y, state = self.rnn(x)
        return (y, *state) if isinstance(state, tuple) else (y, state)


class WithCache(nn.Module):
    """A decoder of transformers with its cache as plain tensors: keys and values of each layer go in and come out."""

    def __init__(self, net, layers):
        super().__init__()
        self.net, self.layers = net, layers

    def forward(self, input_ids, *past):
        from transformers import DynamicCache
        cache = DynamicCache.from_legacy_cache([(past[2 * i], past[2 * i + 1]) for i in range(self.layers)])
        answer = self.net(input_ids=input_ids, past_key_values=cache, use_cache=True)
        return (answer.logits, *[x for layer in answer.past_key_values.to_legacy_cache() for x in layer])


class Crnn(nn.Module):
    """Text recognition: convolutions squeeze a line of text to height 1, a bidirectional LSTM reads it, time comes first."""

    def __init__(self, classes=37):
        super().__init__()
        self.body = nn.Sequential(conv_bn(1, 16, 3), nn.MaxPool2d(2), conv_bn(16, 32, 3), nn.MaxPool2d(2), conv_bn(32, 64, 3), nn.MaxPool2d((2, 1)),
                                  conv_bn(64, 64, 3), nn.MaxPool2d((2, 1)), nn.Conv2d(64, 64, (2, 3), padding=(0, 1)), nn.ReLU())
        self.rnn = nn.LSTM(64, 48, 2, bidirectional=True)
        self.head = nn.Linear(96, classes)

    def forward(self, image):
        x = self.body(image).squeeze(2).permute(2, 0, 1)
        return self.head(self.rnn(x)[0]).log_softmax(2)


class Tcn(nn.Module):
    """A temporal convolutional network: causal dilated convolutions in weight-normalized residual blocks."""

    def __init__(self, channels=16, depth=4):
        super().__init__()
        make = lambda: nn.ModuleList(nn.utils.parametrizations.weight_norm(nn.Conv1d(channels, channels, 3, padding=2 << i, dilation=1 << i)) for i in range(depth))
        self.first, self.second = make(), make()

    def forward(self, x):
        for i, (first, second) in enumerate(zip(self.first, self.second)):
            cut = 2 << i
            y = F.relu(first(x)[:, :, :-cut])
            x = F.relu(x + F.relu(second(y)[:, :, :-cut]))
        return x


class Detect(nn.Module):
    """A detector of torchvision for one image: boxes, scores and labels."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, image):
        found = self.net([image])[0]
        return found["boxes"], found["scores"], found["labels"]
