#!/usr/bin/env python3
"""Exports networks with seeded random weights by torch.onnx.export, with inputs and PyTorch's answers, for tests and benchmarks.

    $(tools/zoo_venv.sh) tools/export_zoo.py [--only NAME]... [--force] [--list]

Writes $MOTE_CACHE/zoo/NAME/{model.onnx, inputs.npz, golden.npz} (default ~/.cache/mote); networks with symbolic dimensions have inputs_2.npz
and golden_2.npz too. Networks already there are skipped. At the end zoo/ops.txt holds the operator histogram of each.
"""
import argparse
import collections
import contextlib
import copy
import dataclasses
import gc
import io
import logging
import os
import pathlib
import shutil
import sys
import traceback
import typing
import warnings
import zlib
from unittest import mock

import numpy as np
import onnx
import torch
from torch import nn

import zoo_nets
from zoo_files import ROOT, ZOO, largest_error, tolerance


@dataclasses.dataclass
class Net:
    build: typing.Callable
    inputs: dict                        # name -> shape (normal floats) or a function of no arguments
    outputs: tuple = ("output",)
    more_inputs: tuple = ()             # further input sets, for symbolic dimensions
    dynamic_axes: dict = dataclasses.field(default_factory=dict)
    dynamo: dict | None = None          # arguments for the dynamo exporter; None is the TorchScript exporter
    opset: int = 17
    scripted: bool = False
    random: bool = True                 # replace the library's initial weights where they leave activations near zero
    settle: bool = True                 # take the statistics of batch norms from random batches
    dtype: torch.dtype = torch.float32  # of weights and activations, cast at both ends (arrays cannot hold bf16)


class Only(nn.Module):
    """Picks what is wanted from a library's structured output."""

    def __init__(self, net, names, pick, **fixed):
        super().__init__()
        self.net, self.names, self.pick, self.fixed = net, names, pick, fixed

    def forward(self, *args):
        return self.pick(self.net(*args) if self.names is None else self.net(**dict(zip(self.names, args)), **self.fixed))


class Narrow(nn.Module):
    """A network in 16 bits between float32 ends."""

    def __init__(self, net, dtype):
        super().__init__()
        self.net, self.dtype = net.to(dtype), dtype

    def forward(self, *args):
        answer = self.net(*[x.to(self.dtype) if x.is_floating_point() else x for x in args])
        return tuple(x.float() for x in answer) if isinstance(answer, tuple) else answer.float()


def image(*shape):
    return {"image": shape or (1, 3, 224, 224)}


def integers(high, *shape):
    return lambda: torch.randint(0, high, shape)


def mask(batch, length):
    """Attention masks: the first sequence whole, each further one some tokens shorter."""
    return lambda: torch.stack([(torch.arange(length) < length - 5 * row).long() for row in range(batch)])


def vision(name, **kwargs):
    import torchvision
    return lambda: torchvision.models.get_model(name, weights=None, **kwargs)


def segmentation(name):
    import torchvision
    build = lambda: torchvision.models.get_model(name, weights=None, weights_backbone=None, num_classes=21)
    return lambda: Only(build(), None, lambda y: y["out"])


def image_model(name, **kwargs):
    import timm
    return lambda: timm.create_model(name, pretrained=False, exportable=True, **kwargs)


BERT_INPUTS = ["input_ids", "attention_mask", "token_type_ids"]


def bert():
    import transformers
    config = transformers.BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536)
    net = transformers.BertModel._from_config(config, attn_implementation="eager")
    return Only(net, BERT_INPUTS, lambda y: (y.last_hidden_state, y.pooler_output))


def bert_long():
    """Two layers for long sequences."""
    import transformers
    config = transformers.BertConfig(vocab_size=2000, hidden_size=384, num_hidden_layers=2, num_attention_heads=12, intermediate_size=1536,
                                     max_position_embeddings=1024)
    net = transformers.BertModel._from_config(config, attn_implementation="eager")
    return Only(net, BERT_INPUTS, lambda y: y.last_hidden_state)


def bert_inputs(batch, length):
    return {"input_ids": integers(30522, batch, length), "attention_mask": mask(batch, length), "token_type_ids": integers(2, batch, length)}


def long_inputs(length):
    return {**bert_inputs(1, length), "input_ids": integers(2000, 1, length)}


def whisper_encoder():
    import transformers
    from transformers.models.whisper.modeling_whisper import WhisperEncoder
    config = transformers.WhisperConfig(d_model=384, encoder_layers=4, encoder_attention_heads=6, encoder_ffn_dim=1536)
    return Only(WhisperEncoder._from_config(config, attn_implementation="eager"), ["input_features"], lambda y: y.last_hidden_state)


def gpt2():
    import transformers
    config = transformers.GPT2Config(vocab_size=1000, n_positions=128, n_embd=192, n_layer=3, n_head=6, use_cache=False)
    net = transformers.GPT2LMHeadModel._from_config(config, attn_implementation="eager")
    causal = torch.full((1, 1, 64, 64), -1e9).triu(1)
    return Only(net, ["input_ids"], lambda y: y.logits, attention_mask=causal)


def wav2vec():
    import transformers
    config = transformers.Wav2Vec2Config(hidden_size=192, num_hidden_layers=3, num_attention_heads=6, intermediate_size=512, vocab_size=32,
                                         conv_dim=(128,) * 7, num_conv_pos_embeddings=32, num_conv_pos_embedding_groups=4)
    net = transformers.Wav2Vec2ForCTC._from_config(config, attn_implementation="eager")
    return Only(net, ["input_values"], lambda y: y.logits)


def gpt2_cache():
    import transformers
    config = transformers.GPT2Config(vocab_size=500, n_positions=64, n_embd=64, n_layer=2, n_head=4)
    return zoo_nets.WithCache(transformers.GPT2LMHeadModel._from_config(config, attn_implementation="eager"), 2)


def llama_cache():
    import transformers
    config = transformers.LlamaConfig(vocab_size=500, hidden_size=64, intermediate_size=176, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                                      max_position_embeddings=64)
    return zoo_nets.WithCache(transformers.LlamaForCausalLM._from_config(config, attn_implementation="eager"), 2)


def layer_cache(kv_heads, past, length):
    return {"input_ids": integers(500, 1, length), **{f"past_{kind}{i}": (1, kv_heads, past, 16) for i in range(2) for kind in "kv"}}


def t5():
    import transformers
    config = transformers.T5Config(vocab_size=500, d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4, use_cache=False, feed_forward_proj="gated-gelu")
    return Only(transformers.T5ForConditionalGeneration(config), ["input_ids", "attention_mask", "decoder_input_ids"], lambda y: y.logits)


def t5_inputs(batch, length, decoded):
    return {"input_ids": integers(500, batch, length), "attention_mask": mask(batch, length), "decoder_input_ids": integers(500, batch, decoded)}


def conformer():
    import transformers
    config = transformers.Wav2Vec2ConformerConfig(hidden_size=96, num_hidden_layers=2, num_attention_heads=4, intermediate_size=192, vocab_size=32, conv_dim=(64,) * 7,
                                                  num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, position_embeddings_type="relative")
    return Only(transformers.Wav2Vec2ConformerForCTC(config), ["input_values"], lambda y: y.logits)


def text_model(kind, **config):
    def build():
        import transformers
        config_class = getattr(transformers, kind + "Config")
        net = getattr(transformers, kind + "Model")._from_config(config_class(**config), attn_implementation="eager")
        return Only(net, ["input_ids", "attention_mask"], lambda y: y.last_hidden_state)
    return build


def segformer():
    import transformers
    config = transformers.SegformerConfig(hidden_sizes=[16, 32, 80, 128], depths=[1, 1, 1, 1], decoder_hidden_size=64, num_labels=19)
    return Only(transformers.SegformerForSemanticSegmentation(config), ["pixel_values"], lambda y: y.logits)


def detector(name, **kwargs):
    """Boxes, scores and labels of one image; the random heads give many boxes of many scores."""
    def build():
        import torchvision
        net = getattr(torchvision.models.detection, name)(weights=None, weights_backbone=None, num_classes=7, **kwargs)
        return zoo_nets.Detect(net)
    return build


def rnn(kind, bidirectional=False, layers=2):
    return lambda: zoo_nets.Rnn(kind, 64, 128, layers, bidirectional)


def cache_inputs(past, length):
    shape = (3, 1, 4, past, 32)
    return {"input_ids": integers(512, 1, length), "past_k": shape, "past_v": shape}


FUNCTIONS = {"external_data": False, "optimize": False}
RNN_INPUT = {"x": (1, 100, 64)}
BATCH = {"image": {0: "N"}}
CACHE_AXES = {"input_ids": {1: "length"}, "past_k": {3: "past"}, "past_v": {3: "past"}, "logits": {1: "length"},
              "present_k": {3: "total"}, "present_v": {3: "total"}}
TEXT_AXES = {name: {0: "batch", 1: "sequence"} for name in ("input_ids", "attention_mask", "token_type_ids", "last_hidden_state")}
LAYER_OUTPUTS = ("logits", "present_k0", "present_v0", "present_k1", "present_v1")
DETECTIONS = ("boxes", "scores", "labels")


def text_inputs(batch, length):
    return {"input_ids": integers(500, batch, length), "attention_mask": mask(batch, length)}


NETS = {
    "mobilenet_v2": Net(vision("mobilenet_v2"), image()),
    "resnet50": Net(vision("resnet50"), image()),
    "digits": None,
    "bert": Net(bert, bert_inputs(1, 128), ("last_hidden_state", "pooler_output")),
    "vit_tiny": Net(image_model("vit_tiny_patch16_224"), image()),
    "lstm": Net(rnn(nn.LSTM), RNN_INPUT, ("y", "h", "c")),
    "resnet18": Net(vision("resnet18"), image()),
    "mobilenet_v3_small": Net(vision("mobilenet_v3_small"), image()),
    "squeezenet1_1": Net(vision("squeezenet1_1"), image()),
    "efficientnet_lite0": Net(image_model("efficientnet_lite0"), image()),
    "efficientnet_b0": Net(vision("efficientnet_b0"), image()),
    "shufflenet_v2_x1_0": Net(vision("shufflenet_v2_x1_0"), image()),
    "densenet121": Net(vision("densenet121"), image()),
    "lraspp_mobilenet_v3_large": Net(segmentation("lraspp_mobilenet_v3_large"), image(1, 3, 256, 256)),
    "deeplabv3_mobilenet_v3_large": Net(segmentation("deeplabv3_mobilenet_v3_large"), image(1, 3, 256, 256)),
    "convnext_atto": Net(image_model("convnext_atto"), image()),
    "bert_dynamic": Net(bert, bert_inputs(2, 37), ("last_hidden_state", "pooler_output"), (bert_inputs(1, 128),),
                        {**TEXT_AXES, "pooler_output": {0: "batch"}}),
    "whisper_tiny_encoder": Net(whisper_encoder, {"input_features": (1, 80, 3000)}),
    "gru": Net(rnn(nn.GRU), RNN_INPUT, ("y", "h")),
    "lstm_bidirectional": Net(rnn(nn.LSTM, True), RNN_INPUT, ("y", "h", "c"), ({"x": (3, 41, 64)},),
                              {"x": {0: "N", 1: "T"}, "y": {0: "N", 1: "T"}, "h": {1: "N"}, "c": {1: "N"}}),
    "gru_bidirectional": Net(rnn(nn.GRU, True), RNN_INPUT, ("y", "h")),
    "decoder_kv": Net(zoo_nets.Decoder, cache_inputs(9, 1), ("logits", "present_k", "present_v"), (cache_inputs(0, 7),), CACHE_AXES),
    "resnet18_dynamo": Net(vision("resnet18"), image(), dynamo={"external_data": True}, opset=18),
    "vit_tiny_dynamo": Net(image_model("vit_tiny_patch16_224"), image(), dynamo={"external_data": False}, opset=18),
    "convnext_atto_functions": Net(image_model("convnext_atto"), image(), dynamo=FUNCTIONS, opset=18),
    "mobilenet_v3_small_functions": Net(vision("mobilenet_v3_small"), image(), dynamo=FUNCTIONS, opset=18),
    "ds_cnn": Net(zoo_nets.DsCnn, {"mfcc": (1, 1, 49, 10)}),
    "unet": Net(zoo_nets.UNet, image(1, 1, 128, 128)),
    "yolo_nano": Net(zoo_nets.YoloNano, image(1, 3, 640, 640)),
    "mobilenet_v2_dynamic": Net(vision("mobilenet_v2"), image(2, 3, 160, 160), more_inputs=(image(1, 3, 224, 192),),
                                dynamic_axes={"image": {0: "N", 2: "H", 3: "W"}, "output": {0: "N"}}),
    "ds_cnn_batch": Net(zoo_nets.DsCnn, {"mfcc": (2, 1, 49, 10)}, dynamic_axes={"mfcc": {0: "N"}, "output": {0: "N"}}),
    "mlp": Net(zoo_nets.Mlp, {"x": (1, 64)}, more_inputs=({"x": (5, 64)},), dynamic_axes={"x": {0: "N"}, "output": {0: "N"}}),
    "bert_long": Net(bert_long, long_inputs(96), ("last_hidden_state",), (long_inputs(256),),
                     {name: {1: "sequence"} for name in (*BERT_INPUTS, "last_hidden_state")}),
    "swin_tiny": Net(vision("swin_t"), image()),
    "gpt2": Net(gpt2, {"input_ids": integers(1000, 1, 64)}, ("logits",)),
    "wav2vec2": Net(wav2vec, {"input_values": (1, 16000)}, ("logits",)),
    "vocoder": Net(zoo_nets.Vocoder, {"mel": (1, 80, 40)}, ("wave",), ({"mel": (1, 80, 23)},), {"mel": {2: "frames"}, "wave": {2: "samples"}}),
    "scripted_loop": Net(zoo_nets.Cell, {"x": (3, 16), "steps": lambda: torch.tensor(7)}, ("state",),
                         ({"x": (3, 16), "steps": lambda: torch.tensor(0)},), scripted=True),
    "convnext_tiny": Net(image_model("convnext_tiny"), image()),
    "regnet_y_400mf": Net(vision("regnet_y_400mf"), image()),
    "mnasnet0_5": Net(vision("mnasnet0_5"), image(), opset=11),
    "googlenet": Net(vision("googlenet", aux_logits=False, init_weights=False), image(), opset=12),
    "inception_v3": Net(vision("inception_v3", aux_logits=False, init_weights=False), image(1, 3, 299, 299), opset=13),
    "mobilenet_v3_large": Net(vision("mobilenet_v3_large"), image(2, 3, 192, 192), dynamic_axes=BATCH, opset=14),
    "mobilevit_xxs": Net(image_model("mobilevit_xxs"), image(1, 3, 256, 256)),
    "maxvit_pico": Net(image_model("maxvit_rmlp_pico_rw_256"), image(1, 3, 256, 256)),
    "coatnet_pico": Net(image_model("coatnet_pico_rw_224"), image()),
    "fcn_resnet50": Net(segmentation("fcn_resnet50"), image(1, 3, 128, 128), opset=11),
    "alexnet_dynamo": Net(vision("alexnet"), image(), dynamo={"external_data": False}, opset=18),
    "efficientformerv2_s0": Net(image_model("efficientformerv2_s0"), image()),
    "mixer_s32": Net(image_model("mixer_s32_224"), image()),
    "repvgg_a0": Net(image_model("repvgg_a0"), image()),
    "ghostnet_100": Net(image_model("ghostnet_100"), image()),
    "edgenext_xx_small": Net(image_model("edgenext_xx_small"), image(1, 3, 256, 256)),
    "poolformer_s12": Net(image_model("poolformer_s12"), image()),
    "gpt2_cache": Net(gpt2_cache, layer_cache(4, 5, 3), LAYER_OUTPUTS, opset=14),
    "llama_cache": Net(llama_cache, layer_cache(2, 5, 3), LAYER_OUTPUTS),
    "t5": Net(t5, t5_inputs(2, 19, 7), ("logits",), (t5_inputs(1, 33, 1),),
              {"input_ids": {0: "batch", 1: "source"}, "attention_mask": {0: "batch", 1: "source"}, "decoder_input_ids": {0: "batch", 1: "target"},
               "logits": {0: "batch", 1: "target"}}),
    "conformer": Net(conformer, {"input_values": (1, 8000)}, ("logits",)),
    "distilbert_opset11": Net(text_model("DistilBert", dim=64, n_layers=2, n_heads=4, hidden_dim=128, vocab_size=500), text_inputs(2, 21), ("last_hidden_state",), opset=11),
    "roberta_dynamo": Net(text_model("Roberta", hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128, vocab_size=500),
                          text_inputs(2, 21), ("last_hidden_state",), dynamo={"external_data": False}, opset=18),
    "albert": Net(text_model("Albert", hidden_size=64, embedding_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=128, vocab_size=500),
                  text_inputs(2, 21), ("last_hidden_state",), (text_inputs(1, 9),), TEXT_AXES),
    "deberta": Net(text_model("DebertaV2", hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128, vocab_size=500, relative_attention=True,
                              position_buckets=16, pos_att_type=["p2c", "c2p"]), text_inputs(1, 24), ("last_hidden_state",)),
    "segformer": Net(segformer, {"pixel_values": (1, 3, 128, 128)}, ("logits",)),
    "crnn": Net(zoo_nets.Crnn, {"image": (2, 1, 32, 100)}, ("logits",), ({"image": (1, 1, 32, 72)},), {"image": {0: "N", 3: "W"}, "logits": {0: "T", 1: "N"}}),
    "tcn": Net(zoo_nets.Tcn, {"x": (1, 16, 50)}, ("y",), ({"x": (3, 16, 31)},), {"x": {0: "N", 2: "T"}, "y": {0: "N", 2: "T"}}, opset=16),
    "tcn_dynamo": Net(zoo_nets.Tcn, {"x": (2, 16, 50)}, ("y",), ({"x": (3, 16, 31)},),
                      dynamo={"external_data": False, "dynamic_shapes": {"x": {0: "N", 2: "T"}}}, opset=18),
    "lstm_dynamo": Net(rnn(nn.LSTM), RNN_INPUT, ("y", "h", "c"), dynamo={"external_data": False}, opset=18),
    "fasterrcnn": Net(detector("fasterrcnn_mobilenet_v3_large_320_fpn", min_size=160, max_size=160, box_detections_per_img=20), image(3, 120, 160), DETECTIONS, opset=16, settle=False),
    "resnet18_f16": Net(vision("resnet18"), image(), dtype=torch.float16),
    "mobilenet_v3_small_bf16": Net(vision("mobilenet_v3_small"), image(), dtype=torch.bfloat16),
    "vit_tiny_f16": Net(image_model("vit_tiny_patch16_224"), image(), dtype=torch.float16),
    "lstm_f16": Net(rnn(nn.LSTM), RNN_INPUT, ("y", "h", "c"), dtype=torch.float16),
    "gpt2_bf16_dynamo": Net(gpt2, {"input_ids": integers(1000, 1, 64)}, ("logits",), dynamo={"external_data": False}, opset=18, dtype=torch.bfloat16),
}


def make_inputs(spec):
    return {name: x() if callable(x) else torch.randn(x) for name, x in spec.items()}


def export(net, model, inputs, path):
    common = dict(opset_version=net.opset, input_names=list(inputs), output_names=list(net.outputs))
    args = tuple(inputs.values())
    if net.dynamo is None:
        torch.onnx.export(model, args, str(path), dynamo=False, dynamic_axes=net.dynamic_axes, **common)
        return
    # The converter between opsets inlines model-local functions; the networks that are to keep theirs need no conversion.
    with mock.patch("onnxscript.version_converter.convert_version") if net.dynamo is FUNCTIONS else contextlib.nullcontext():
        torch.onnx.export(model, args, str(path), dynamo=True, verbose=False, **net.dynamo, **common)


def save_arrays(path, arrays):
    np.savez(path, **{name: x.numpy() for name, x in arrays.items()})


def onnxruntime_error(path, inputs, golden):
    """Largest difference between ONNX Runtime and PyTorch over the outputs, in standard deviations of PyTorch's."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    wanted = {i.name for i in session.get_inputs()}
    answers = session.run(list(golden), {name: x.numpy() for name, x in inputs.items() if name in wanted})
    return largest_error({name: x.numpy() for name, x in golden.items()}, dict(zip(golden, answers)))[0]


def make_model(name):
    """The network with its seeded weights, and its sets of inputs: the same whenever it is asked for."""
    net = NETS[name]
    torch.manual_seed(zlib.crc32(name.split("_dynam")[0].encode()))
    model = net.build()
    if net.random:
        zoo_nets.randomize(model)
    model.eval()
    sets = [make_inputs(spec) for spec in (net.inputs, *net.more_inputs)]
    if net.settle:
        zoo_nets.settle_batch_norm(model, list(sets[0].values()))
    return model, sets


def export_net(name, net, folder):
    model, sets = make_model(name)
    exact = model
    if net.dtype != torch.float32:
        # The answer is what the rounded weights and inputs give in double precision.
        model = Narrow(model, net.dtype)
        exact = Narrow(copy.deepcopy(model.net), torch.float64)
    goldens = []
    with torch.no_grad():
        for inputs in sets:
            rounded = [x.to(net.dtype) if x.is_floating_point() else x for x in inputs.values()]
            answer = exact(*rounded)
            goldens.append(dict(zip(net.outputs, answer if isinstance(answer, tuple) else (answer,))))
    export(net, torch.jit.script(model) if net.scripted else model, sets[0], folder / "model.onnx")
    worst = 0.0
    for index, (inputs, golden) in enumerate(zip(sets, goldens)):
        suffix = "" if index == 0 else f"_{index + 1}"
        save_arrays(folder / f"inputs{suffix}.npz", inputs)
        save_arrays(folder / f"golden{suffix}.npz", golden)
        if net.dtype != torch.bfloat16:  # which ONNX Runtime does not run
            worst = max(worst, onnxruntime_error(folder / "model.onnx", inputs, golden))
    deviation = min(float(x.double().std()) for x in goldens[0].values())
    print(f"{name:30s} std {deviation:9.3g}   ONNX Runtime differs by {worst:.1e} std", flush=True)
    if not worst < tolerance(name):
        raise RuntimeError(f"ONNX Runtime and PyTorch differ by more than {tolerance(name)} std")


def export_digits(folder):
    """The demo model, all ten scans as one batch, as the others are laid out."""
    from PIL import Image
    source = ROOT / "examples" / "digits"
    metadata = {p.key: p.value for p in onnx.load(source / "digits.onnx").metadata_props}
    scans = np.stack([np.asarray(Image.open(source / f"digit_{d}.png")) for d in range(10)])[:, None].astype(np.float32)
    scans = (scans / np.float32(255) - np.float32(metadata["mote.image.mean"])) / np.float32(metadata["mote.image.std"])
    shutil.copy(source / "digits.onnx", folder / "model.onnx")
    shutil.copy(source / "logits.npz", folder / "golden.npz")
    np.savez(folder / "inputs.npz", image=scans)


def all_nodes(nodes):
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from all_nodes(graph.node)


def write_histograms():
    """zoo/ops.txt: first every operator with the number of networks that use it, then the histogram of each network."""
    histograms = {}
    for path in sorted(ZOO.glob("[!.]*/model.onnx")):
        model = onnx.load(path, load_external_data=False)
        nodes = list(all_nodes(model.graph.node))
        for function in model.functions:
            nodes += all_nodes(function.node)
        histograms[path.parent.name] = collections.Counter(f"{n.domain}:{n.op_type}" if n.domain else n.op_type for n in nodes)
    users = collections.Counter(op for histogram in histograms.values() for op in histogram)
    text = io.StringIO()
    print(f"{len(users)} operators in {len(histograms)} networks (operator, networks that use it)", file=text)
    for op, count in sorted(users.items(), key=lambda item: (-item[1], item[0])):
        print(f"  {op:40s} {count:3d}", file=text)
    for name, histogram in histograms.items():
        print(f"\n{name}: " + ", ".join(f"{op} {count}" for op, count in histogram.most_common()), file=text)
    (ZOO / "ops.txt").write_text(text.getvalue())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="NAME", choices=list(NETS), help="this network only; may be repeated")
    parser.add_argument("--force", action="store_true", help="export again what is there already")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    args = parser.parse_args()
    if args.list:
        print("\n".join(NETS))
        return 0
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    os.nice(10)
    torch.set_num_threads(2)
    failed = []
    for name in args.only or NETS:
        final, folder = ZOO / name, ZOO / f".{name}.part"
        if final.exists() and not args.force:
            continue
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            export_digits(folder) if name == "digits" else export_net(name, NETS[name], folder)
            shutil.rmtree(final, ignore_errors=True)
            folder.rename(final)
        except Exception:
            traceback.print_exc()
            failed.append(name)
            shutil.rmtree(folder, ignore_errors=True)
        gc.collect()
        write_histograms()
    print(f"{len(list(ZOO.glob('[!.]*/model.onnx')))} networks in {ZOO}" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
