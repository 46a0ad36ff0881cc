// Memory planning of one function: which buffers live when, which may take another's place, and where each one lies.
#include <algorithm>
#include <utility>

#include "prepare/draft.h"

namespace mote::draft {
namespace {

constexpr std::int64_t kAlign = 64;
constexpr std::int64_t kTypical = 64;  // what an unknown extent counts when sizes are compared

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

Dim aligned(const Dim& bytes) {
  return bytes.is_const() ? Dim((bytes.value() + kAlign - 1) / kAlign * kAlign) : ceildiv(bytes, kAlign) * Dim(kAlign);
}

std::int64_t typical(const Dim& d) {
  return d.evaluate([](std::string_view) { return std::optional<std::int64_t>(kTypical); }).value_or(0);
}

std::int32_t root(const DraftFunction& f, std::int32_t b) {
  while (f.bufs[at(b)].merged_into != kNone) b = f.bufs[at(b)].merged_into;
  return b;
}

// The value that holds the bytes of v: late views follow their base.
std::int32_t base_of(const DraftFunction& f, std::int32_t v) {
  while (f.vals[at(v)].alias != kNone) v = f.vals[at(v)].alias;
  return v;
}

void drop_dead_steps(DraftFunction& f) {
  std::vector<bool> read(f.vals.size(), false);
  std::vector<bool> buf_read(f.bufs.size(), false);
  auto mark = [&](std::int32_t v) {
    for (; v != kNone; v = f.vals[at(v)].alias) {
      read[at(v)] = true;
      if (f.vals[at(v)].buf != kNone) buf_read[at(f.vals[at(v)].buf)] = true;
    }
  };
  for (std::int32_t v : f.outputs) mark(v);
  for (std::size_t s = f.steps.size(); s-- > 0;) {
    DraftStep& d = f.steps[s];
    bool alive = false;
    for (std::int32_t v : d.step.outputs) {
      // Through buffers too: copies into parts of a concatenation are read through the whole.
      if (v != kNone) alive = alive || read[at(v)] || (f.vals[at(v)].buf != kNone && buf_read[at(f.vals[at(v)].buf)]);
    }
    d.dead = !alive;
    if (!alive) continue;
    for (std::int32_t v : d.step.inputs) {
      if (v != kNone) mark(v);
    }
  }
  std::vector<std::int32_t> moved(f.steps.size(), kNone);
  std::vector<DraftStep> kept;
  for (std::size_t s = 0; s < f.steps.size(); ++s) {
    if (f.steps[s].dead) continue;
    moved[s] = static_cast<std::int32_t>(kept.size());
    kept.push_back(std::move(f.steps[s]));
  }
  f.steps = std::move(kept);
  for (Val& v : f.vals) {
    if (v.producer != kNone) v.producer = moved[at(v.producer)];
  }
}

void find_lifetimes(DraftFunction& f) {
  auto touch = [&](std::int32_t v, std::int32_t s) {
    std::int32_t b = f.vals[at(base_of(f, v))].buf;
    if (b == kNone) return;
    Buf& buf = f.bufs[at(b)];
    if (buf.first < 0) buf.first = s;
    buf.last = std::max(buf.last, s);
  };
  for (std::size_t s = 0; s < f.steps.size(); ++s) {
    for (std::int32_t v : f.steps[s].step.inputs) {
      if (v != kNone) touch(v, static_cast<std::int32_t>(s));
    }
    for (std::int32_t v : f.steps[s].step.outputs) {
      if (v != kNone) touch(v, static_cast<std::int32_t>(s));
    }
  }
  for (std::int32_t v : f.outputs) touch(v, static_cast<std::int32_t>(f.steps.size()));
}

// Output 0 takes the memory of an input that is read here last, where the kernel allows it and both lie alike.
void merge_in_place(DraftFunction& f) {
  std::vector<std::int32_t> views(f.bufs.size(), 0);
  for (const Val& v : f.vals) {
    if (v.buf != kNone) ++views[at(v.buf)];
  }
  for (std::size_t s = 0; s < f.steps.size(); ++s) {
    const DraftStep& d = f.steps[s];
    if (d.in_place == kNone || at(d.in_place) >= d.step.inputs.size() || d.step.outputs.empty()) continue;
    std::int32_t iv = d.step.inputs[at(d.in_place)], ov = d.step.outputs[0];
    if (iv == kNone || ov == kNone) continue;
    const Val &in = f.vals[at(iv)], &out = f.vals[at(ov)];
    if (in.buf == kNone || out.buf == kNone || in.late || out.late) continue;
    std::int32_t a = root(f, in.buf), b = root(f, out.buf);
    if (a == b) continue;
    Buf &from = f.bufs[at(a)], &to = f.bufs[at(b)];
    std::int32_t now = static_cast<std::int32_t>(s);
    bool alike = in.dtype == out.dtype && *in.dims == *out.dims && !in.strides && !out.strides &&
                 same_order(*in.dims, in.perm, out.perm) && in.offset.is(0) && out.offset.is(0) &&
                 from.bytes == to.bytes;
    bool others = std::count(d.step.inputs.begin(), d.step.inputs.end(), iv) > 1;
    if (!alike || others || from.place != Place::kArena || from.last != now || to.first != now) continue;
    if (to.place != Place::kArena && to.place != Place::kOutput) continue;
    // The survivor is the one with a fixed place.
    to.first = from.first;
    from.merged_into = b;
  }
}

void place_static(DraftFunction& f, std::vector<std::int32_t>& order) {
  std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    std::int64_t x = f.bufs[at(a)].bytes.value(), y = f.bufs[at(b)].bytes.value();
    return x != y ? x > y : a < b;
  });
  std::int64_t peak = 0;
  std::vector<std::int32_t> placed;
  for (std::int32_t id : order) {
    Buf& b = f.bufs[at(id)];
    std::int64_t size = aligned(b.bytes).value();
    std::vector<std::pair<std::int64_t, std::int64_t>> busy;
    for (std::int32_t other : placed) {
      const Buf& o = f.bufs[at(other)];
      if (o.first <= b.last && b.first <= o.last)
        busy.emplace_back(o.offset.value(), o.offset.value() + aligned(o.bytes).value());
    }
    std::sort(busy.begin(), busy.end());
    // The tightest gap that holds it.
    std::int64_t best = -1, best_gap = INT64_MAX, cursor = 0;
    for (const auto& [from, to] : busy) {
      if (from - cursor >= size && from - cursor < best_gap) {
        best = cursor;
        best_gap = from - cursor;
      }
      cursor = std::max(cursor, to);
    }
    if (best < 0) best = cursor;
    b.offset = best;
    peak = std::max(peak, best + size);
    placed.push_back(id);
  }
  f.arena = peak;
}

// Symbolic sizes: buffers whose lifetimes do not meet share a lane; a lane is as large as its largest buffer, lanes lie
// one behind the other. The peak is the sum of the lanes, for every value of the symbols.
void place_symbolic(DraftFunction& f, std::vector<std::int32_t>& order) {
  struct Lane {
    Dim size;
    std::int64_t typical_size;
    std::vector<std::int32_t> bufs;
  };
  std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    std::int64_t x = typical(f.bufs[at(a)].bytes), y = typical(f.bufs[at(b)].bytes);
    return x != y ? x > y : a < b;
  });
  std::vector<Lane> lanes;
  for (std::int32_t id : order) {
    const Buf& b = f.bufs[at(id)];
    auto free = [&](const Lane& lane) {
      return std::none_of(lane.bufs.begin(), lane.bufs.end(), [&](std::int32_t o) {
        return f.bufs[at(o)].first <= b.last && b.first <= f.bufs[at(o)].last;
      });
    };
    auto it =
        std::find_if(lanes.begin(), lanes.end(), [&](const Lane& l) { return l.size == aligned(b.bytes) && free(l); });
    if (it == lanes.end()) it = std::find_if(lanes.begin(), lanes.end(), free);
    if (it == lanes.end()) {
      lanes.push_back({aligned(b.bytes), typical(b.bytes), {id}});
    } else {
      it->size = max(it->size, aligned(b.bytes));
      it->bufs.push_back(id);
    }
  }
  Dim offset(0);
  for (const Lane& lane : lanes) {
    for (std::int32_t id : lane.bufs) f.bufs[at(id)].offset = offset;
    offset = offset + lane.size;
  }
  f.arena = offset;
}

}  // namespace

void plan_memory(DraftFunction& f) {
  drop_dead_steps(f);
  find_lifetimes(f);
  merge_in_place(f);
  std::vector<std::int32_t> order;
  bool all_static = true;
  for (std::size_t b = 0; b < f.bufs.size(); ++b) {
    const Buf& buf = f.bufs[b];
    if (buf.place != Place::kArena && buf.place != Place::kOutput) continue;
    if (buf.merged_into != kNone || buf.first < 0) continue;
    order.push_back(static_cast<std::int32_t>(b));
    all_static = all_static && buf.bytes.is_const();
  }
  if (all_static) {
    place_static(f, order);
  } else {
    place_symbolic(f, order);
  }
  for (std::int32_t b : order) {
    Buf& result = f.bufs[at(b)];
    if (result.place == Place::kOutput) f.results[at(result.index)] = std::exchange(result.offset, Dim());
  }
  for (std::size_t b = 0; b < f.bufs.size(); ++b) {
    if (f.bufs[b].merged_into == kNone) continue;
    const Buf& r = f.bufs[at(root(f, static_cast<std::int32_t>(b)))];
    f.bufs[b].place = r.place;
    f.bufs[b].index = r.index;
    f.bufs[b].offset = r.offset;
  }
}

}  // namespace mote::draft
