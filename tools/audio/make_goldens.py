"""Regenerates tests/data/audio: small WAV files, what libsndfile reads from them, and librosa's features.

    pip install librosa soundfile numpy
    python3 tools/audio/make_goldens.py

expected.npz holds for each WAV file its mono samples (soundfile, float64, the mean of the channels) under the file's name, and features of
`signal()`, here and in the test, under their settings as text: "KEY=VALUE ...", in float32, [bands, frames].
"""
import pathlib
import struct

import librosa
import numpy as np
import soundfile

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/data/audio"
RATE = 16000


def signal(count: int) -> np.ndarray:
    """Noise of a 32-bit linear congruential generator in 16 bits, louder from burst to burst."""
    state, out = 12345, np.empty(count)
    for i in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = ((state >> 16) - 32768) / 32768 * (1, 0.001, 0.1, 0.03)[i // 1000 % 4]
    return out.astype(np.float32)


def write_wav(name: str, kind: int, bits: int, channels: int, data: bytes, extensible=False, extra=b"") -> None:
    block = channels * bits // 8
    head = struct.pack("<HHIIHH", 0xFFFE if extensible else kind, channels, RATE, RATE * block, block, bits)
    if extensible:
        head += struct.pack("<HHIH", 22, bits, 0, kind) + bytes.fromhex("000000001000800000aa00389b71")
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head + extra + b"data" + struct.pack("<I", len(data)) + data
    (OUT / name).write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


def write_files() -> None:
    raw = (signal(64).view(np.uint32) >> 3).astype("<u4").tobytes()
    write_wav("pcm8.wav", 1, 8, 1, raw[:41])
    write_wav("pcm16_stereo.wav", 1, 16, 2, raw[:80])
    write_wav("pcm24.wav", 1, 24, 1, raw[:90])
    write_wav("pcm32_extensible.wav", 1, 32, 3, raw[:96], extensible=True)
    floats = signal(30)
    write_wav("float32.wav", 3, 32, 1, floats.tobytes(), extra=b"LIST" + struct.pack("<I", 3) + b"abc\0")
    write_wav("float64_extensible.wav", 3, 64, 2, floats.astype("<f8").tobytes(), extensible=True)


CASES = [
    "features=mel frame=400 hop=160 fft=512 mels=40",
    "features=mel frame=256 hop=100 mels=20 mel_scale=htk mel_norm=none window=hamming pad=reflect fmin=50 fmax=7000",
    "features=mel frame=300 hop=150 mels=13 power=1 pad=none",
    "features=logmel frame=400 hop=160 fft=512 mels=40",
    "features=logmel frame=512 hop=128 mels=30 top_db=0 pad=reflect",
    "features=mfcc frame=480 hop=320 fft=480 mels=40 mfcc=13",
    "features=mfcc frame=512 hop=256 mels=64 mfcc=20 mel_scale=htk fmin=20 fmax=4000",
    "features=spectrogram frame=320 hop=160 window=rect",
]


def feature(text: str, y: np.ndarray) -> np.ndarray:
    s = dict(part.split("=") for part in text.split())
    frame = int(s["frame"])
    fft = int(s.get("fft", frame))
    window = {"hann": "hann", "hamming": "hamming", "rect": np.ones(frame)}[s.get("window", "hann")]
    pad = s.get("pad", "zeros")
    power = float(s.get("power", 2))
    stft = {"n_fft": fft, "hop_length": int(s["hop"]), "win_length": frame, "window": window, "center": pad != "none",
            "pad_mode": "reflect" if pad == "reflect" else "constant"}
    if s["features"] == "spectrogram":
        return np.abs(librosa.stft(y.astype(np.float64), **stft)) ** power
    mel = librosa.feature.melspectrogram(
        y=y.astype(np.float64), sr=RATE, power=power, n_mels=int(s["mels"]), fmin=float(s.get("fmin", 0)), fmax=float(s.get("fmax", RATE / 2)),
        htk=s.get("mel_scale") == "htk", norm=None if s.get("mel_norm") == "none" else "slaney", dtype=np.float64, **stft)
    if s["features"] == "mel":
        return mel
    top_db = float(s.get("top_db", 80))
    db = librosa.power_to_db(mel, top_db=top_db if top_db > 0 else None)
    return db if s["features"] == "logmel" else librosa.feature.mfcc(S=db, n_mfcc=int(s["mfcc"]))


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    write_files()
    expected = {}
    for file in sorted(OUT.glob("*.wav")):
        samples, _ = soundfile.read(file, dtype="float64", always_2d=True)
        expected[file.name] = samples.mean(axis=1)
    y = signal(4000)
    for case in CASES:
        expected[case] = feature(case, y).astype(np.float32)
    np.savez_compressed(OUT / "expected.npz", **expected)
    print(len(expected), "entries")


if __name__ == "__main__":
    main()
