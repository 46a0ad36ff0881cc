#include "quant/spaces.h"

#include <algorithm>
#include <map>

#include "ir/op.h"

namespace mote::quant {
namespace {

constexpr std::string_view kSame[] = {"max_pool",        "average_pool", "global_average_pool",
                                      "global_max_pool", "dropout",      "identity"};
constexpr std::string_view kFlat[] = {"flatten", "reshape", "squeeze"};

class Finder {
 public:
  Finder(const Module& m, const std::vector<Layer>& layers) : f_(main_function(m)) {
    for (const Layer& l : layers) layers_[l.node] = &l;
    of_.resize(f_.values.size());
  }

  std::vector<Space> run() {
    for (ValueId v : f_.inputs) freeze(of(v));
    for (NodeId i = 0; i < static_cast<NodeId>(f_.nodes.size()); ++i) node(i);
    for (ValueId v : f_.outputs) freeze(of(v));
    std::vector<Space> out;
    for (std::size_t s = 0; s < spaces_.size(); ++s) {
      Space& space = spaces_[s];
      if (root(static_cast<int>(s)) == static_cast<int>(s) && !space.frozen && !space.makers.empty() &&
          !space.readers.empty())
        out.push_back(std::move(space));
    }
    return out;
  }

 private:
  struct Place {
    int space = -1;
    std::int64_t repeat = 1;
  };

  int root(int s) const {
    while (up_[at(s)] != s) s = up_[at(s)];
    return s;
  }
  Place& of(ValueId v) {
    Place& p = of_[at(v)];
    if (p.space < 0) p.space = fresh(0, true);
    return p;
  }
  int fresh(std::int64_t channels, bool frozen) {
    spaces_.push_back({channels, frozen, {}, {}, {}});
    up_.push_back(static_cast<int>(up_.size()));
    return up_.back();
  }
  Space& space(const Place& p) { return spaces_[at(root(p.space))]; }
  void freeze(const Place& p) { space(p).frozen = true; }

  void join(const Place& a, const Place& b) {
    int ra = root(a.space), rb = root(b.space);
    if (ra == rb) return;
    Space &to = spaces_[at(ra)], &from = spaces_[at(rb)];
    to.frozen = to.frozen || from.frozen || to.channels != from.channels || a.repeat != b.repeat;
    to.makers.insert(to.makers.end(), from.makers.begin(), from.makers.end());
    to.depthwise.insert(to.depthwise.end(), from.depthwise.begin(), from.depthwise.end());
    to.readers.insert(to.readers.end(), from.readers.begin(), from.readers.end());
    up_[at(rb)] = ra;
  }

  std::int64_t extent(ValueId v, int axis) const {
    const Type& t = f_.values[at(v)].type;
    if (!t.has_rank() || t.rank() <= axis) return -1;
    return (*t.shape)[at(axis)].known().value_or(-1);
  }

  void layer(const Layer& l, const Node& n) {
    Place x = of(l.x);
    ValueId y = n.outputs[0];
    bool conv = l.kind == Layer::Kind::kConv;
    if (!l.can() || (conv && l.group != 1 && (l.group != l.channels || extent(l.x, 1) != l.channels))) {
      freeze(x);
      of(y);
      return;
    }
    if (conv && l.group != 1) {
      space(x).depthwise.push_back(&l);
      of_[at(y)] = x;
      return;
    }
    std::int64_t inputs = conv ? extent(l.x, 1) : l.depth;
    if (!space(x).frozen && inputs == space(x).channels * x.repeat) {
      space(x).readers.push_back({&l, x.repeat});
    } else {
      freeze(x);
    }
    of_[at(y)] = {fresh(l.channels, !conv && f_.values[at(y)].type.rank() != 2), 1};
    space(of(y)).makers.push_back(&l);
  }

  void node(NodeId i) {
    const Node& n = f_.nodes[at(i)];
    if (auto it = layers_.find(i);
        it != layers_.end() && it->second->x != kNone && it->second->kind != Layer::Kind::kOther)
      return layer(*it->second, n);
    std::string_view op = n.op->name;
    std::vector<ValueId> varies;
    bool numbers = true;
    for (ValueId v : n.inputs) {
      if (v == kNone) continue;
      if (f_.values[at(v)].constant == kNone) {
        varies.push_back(v);
      } else if (!contains(kFlat, op)) {
        numbers = numbers && f_.values[at(v)].type.has_rank() && volume(*f_.values[at(v)].type.shape).is(1);
      }
    }
    bool plain = n.bodies.empty() && n.outputs.size() >= 1 && n.outputs[0] != kNone && !varies.empty() && numbers;
    for (std::size_t k = 1; k < n.outputs.size(); ++k) plain = plain && n.outputs[k] == kNone;
    if (plain && varies.size() == 1 && (n.op->is(kElementwise) || contains(kSame, op))) {
      of_[at(n.outputs[0])] = of(varies[0]);
      return;
    }
    if (plain && varies.size() == 1 && contains(kFlat, op) && flat(varies[0], n.outputs[0])) return;
    if (plain && varies.size() == 2 && n.op->is(kElementwise) && same_channels(varies[0], varies[1])) {
      join(of(varies[0]), of(varies[1]));
      of_[at(n.outputs[0])] = of(varies[0]);
      return;
    }
    for (ValueId v : varies) freeze(of(v));
    for (ValueId v : n.outputs) {
      if (v != kNone) of(v);
    }
  }

  bool same_channels(ValueId a, ValueId b) const {
    const Type &ta = f_.values[at(a)].type, &tb = f_.values[at(b)].type;
    return ta.has_rank() && tb.has_rank() && ta.rank() == tb.rank() && ta.rank() >= 2 && extent(a, 1) > 0 &&
           extent(a, 1) == extent(b, 1);
  }

  // [N, C, ...] to [N, C * positions].
  bool flat(ValueId x, ValueId y) {
    std::int64_t channels = extent(x, 1), columns = extent(y, 1);
    const Type &tx = f_.values[at(x)].type, &ty = f_.values[at(y)].type;
    if (!tx.has_rank() || !ty.has_rank() || ty.rank() != 2 || tx.rank() < 2 || channels <= 0) return false;
    if (!((*tx.shape)[0] == (*ty.shape)[0]) || columns % channels != 0) return false;
    Place p = of(x);
    if (p.repeat != 1) return false;
    of_[at(y)] = {p.space, columns / channels};
    return true;
  }

  const Function& f_;
  std::map<NodeId, const Layer*> layers_;
  std::vector<Place> of_;
  std::vector<Space> spaces_;
  std::vector<int> up_;
};

}  // namespace

std::vector<Space> find_spaces(const Module& m, const std::vector<Layer>& layers) { return Finder(m, layers).run(); }

}  // namespace mote::quant
