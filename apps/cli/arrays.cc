// Arrays as a session's inputs, and its outputs as arrays.
#include <algorithm>
#include <bit>
#include <cstring>
#include <random>

#include "base/float_format.h"
#include "base/text.h"
#include "cli.h"
#include "media/npy.h"

namespace mote::cli {
namespace {

TensorView view_of(const Port& port, media::Array& array) {
  // Types that numpy lacks come as the 8 or 16 bit words that hold them.
  DType dtype = array.dtype;
  bool words = (port.dtype == DType::bf16 && dtype == DType::u16) ||
               (is_float(port.dtype) && bits_of(port.dtype) == 8 && dtype == DType::u8);
  return TensorView::of(array.data.data(), words ? port.dtype : dtype, array.shape);
}

// The index of the input that an array called `name` is for, and its place in a list: "x.2". -1 where there is none.
struct Match {
  int input = -1;
  std::int64_t item = -1;
};

// By name, or "in_1": by position among the inputs that the caller binds.
int match_name(const Session& session, std::string_view name) {
  int input = session.input_index(name);
  if (input >= 0 || !name.starts_with("in_")) return input;
  const std::vector<Port>& ports = session.inputs();
  std::optional<std::int64_t> left = parse_int(name.substr(3));
  for (std::size_t i = 0; left && i < ports.size(); ++i) {
    if (!ports[i].state && (*left)-- == 0) return static_cast<int>(i);
  }
  return -1;
}

Match match_input(const Session& session, std::string_view name) {
  Match m{match_name(session, name), -1};
  std::size_t dot = name.rfind('.');
  if (m.input >= 0 || dot == std::string_view::npos) return m;
  int input = match_name(session, name.substr(0, dot));
  std::optional<std::int64_t> item = parse_int(name.substr(dot + 1));
  bool is_list = input >= 0 && session.inputs()[static_cast<std::size_t>(input)].kind == Port::Kind::kList;
  return is_list && item ? Match{input, *item} : m;
}

Status bind_list(Session& session, int input, std::map<std::int64_t, media::Array*> items) {
  std::vector<TensorView> views;
  for (auto& [item, array] : items) {
    if (item != static_cast<std::int64_t>(views.size())) return invalid(concat("item ", views.size(), " is missing"));
    if (array->shape.size() > kMaxRank || array->dtype == DType::string) return unsupported("a list item of this kind");
    MOTE_TRY(media::narrow(*array, session.inputs()[static_cast<std::size_t>(input)].dtype));
    views.push_back(view_of(session.inputs()[static_cast<std::size_t>(input)], *array));
  }
  return session.set_input_list(input, views);
}

Status bind_one(Session& session, int input, media::Array& array) {
  const Port& port = session.inputs()[static_cast<std::size_t>(input)];
  if (array.shape.size() > kMaxRank) return unsupported("rank above 8").at("input '" + port.name + "'");
  if (array.dtype == DType::string) return session.set_input_strings(input, array.shape, array.strings);
  if (Status s = media::narrow(array, port.dtype); !s.ok()) return std::move(s).at("input '" + port.name + "'");
  return session.set_input(input, view_of(port, array));
}

std::string port_names(const std::vector<Port>& ports) {
  std::vector<std::string> names;
  for (const Port& p : ports) {
    if (!p.state) names.push_back("'" + p.name + "'");
  }
  return join(names);
}

}  // namespace

bool takes_input(const Session& session, std::string_view name) { return match_input(session, name).input >= 0; }

Status bind_inputs(Session& session, std::vector<media::Array>& arrays) {
  const std::vector<Port>& ports = session.inputs();
  std::vector<bool> bound(ports.size(), false);
  std::map<int, std::map<std::int64_t, media::Array*>> lists;
  for (media::Array& a : arrays) {
    Match m = match_input(session, a.name);
    if (m.input < 0)
      return invalid("the model has no input named " + mote::quoted(a.name))
          .hint("its inputs are: " + port_names(ports));
    std::size_t i = static_cast<std::size_t>(m.input);
    if (ports[i].state) return invalid("is a state: the session carries it").at("input '" + ports[i].name + "'");
    if (m.item >= 0) {
      lists[m.input][m.item] = &a;
    } else if (bound[i]) {
      return invalid("was given twice").at("input '" + ports[i].name + "'");
    } else {
      MOTE_TRY(bind_one(session, m.input, a));
    }
    bound[i] = true;
  }
  for (auto& [input, items] : lists) {
    if (Status s = bind_list(session, input, std::move(items)); !s.ok()) {
      return std::move(s).at("input '" + ports[static_cast<std::size_t>(input)].name + "'");
    }
  }
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (bound[i] || ports[i].state) continue;
    if (ports[i].kind == Port::Kind::kOptional) {
      MOTE_TRY(session.set_input_absent(static_cast<int>(i)));
      continue;
    }
    return invalid("no value was given for input '" + ports[i].name + "'")
        .hint("give it with --input " + ports[i].name + "=FILE.npy or --inputs FILE.npz");
  }
  return {};
}

namespace {

// A normal float, or an integer 0 or 1.
void random_element(media::Array& a, std::int64_t i, std::mt19937_64& random, std::normal_distribution<float>& normal) {
  std::byte* at = a.data.data() + i * bits_of(a.dtype) / 8;
  if (is_int(a.dtype) || a.dtype == DType::boolean) {
    int v = static_cast<int>(random() & 1);
    if (bits_of(a.dtype) < 8) return store_packed(a.dtype, a.data.data(), i, v);
    std::size_t bytes = static_cast<std::size_t>(bits_of(a.dtype)) / 8;
    at[std::endian::native == std::endian::little ? 0 : bytes - 1] = static_cast<std::byte>(v);
    return;
  }
  auto put = [&](auto v) { std::memcpy(at, &v, sizeof v); };
  float v = normal(random);
  switch (a.dtype) {
    case DType::f32:
    case DType::c64:  // the imaginary part stays 0
      return put(v);
    case DType::f64:
    case DType::c128:
      return put(static_cast<double>(v));
    default:
      store_from_f32(a.dtype, &v, 1, a.data.data(), i, true);
  }
}

}  // namespace

Result<std::vector<media::Array>> random_inputs(const std::vector<Port>& ports, std::uint64_t seed,
                                                const media::Limits& limits) {
  std::vector<media::Array> arrays;
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  for (const Port& p : ports) {
    if (p.state) continue;
    if (p.kind != Port::Kind::kTensor || !p.known_rank || p.dtype == DType::string || p.dtype == DType::none) {
      return invalid("input '" + p.name + "' cannot be made up").hint("give inputs with --inputs FILE.npz");
    }
    media::Array a;
    a.name = p.name;
    a.dtype = p.dtype;
    std::int64_t count = 1;
    bool fits = true;
    for (const std::string& d : p.shape) {
      a.shape.push_back(parse_int(d).value_or(1));
      fits = fits && !__builtin_mul_overflow(count, a.shape.back(), &count) && count <= limits.max_bytes;
    }
    if (!fits || bytes_of(p.dtype, count) > limits.max_bytes) {
      return Status(Code::kResourceExhausted, "it takes more than " + std::to_string(limits.max_bytes) + " bytes")
          .at("input '" + p.name + "'")
          .hint("raise --max-ram, or give a smaller --shape");
    }
    a.data.resize(static_cast<std::size_t>(bytes_of(p.dtype, count)));
    for (std::int64_t i = 0; i < count; ++i) random_element(a, i, random, normal);
    arrays.push_back(std::move(a));
  }
  return arrays;
}

Result<std::vector<media::Array>> output_arrays(const Session& session) {
  std::vector<media::Array> arrays;
  auto add = [&](const std::string& name, const TensorView& v) {
    media::Array a;
    a.name = name;
    a.dtype = v.dtype;
    a.shape.assign(v.dims, v.dims + v.rank);
    if (v.dtype == DType::string) {
      a.strings = session.output_strings(v);
    } else if (v.bytes() > 0) {
      a.data.assign(v.data, v.data + v.bytes());
    }
    arrays.push_back(std::move(a));
  };
  for (std::size_t i = 0; i < session.outputs().size(); ++i) {
    int index = static_cast<int>(i);
    const Port& p = session.outputs()[i];
    if (!session.output_present(index)) continue;
    if (p.kind == Port::Kind::kTensor) {
      add(p.name, session.output(index));
      continue;
    }
    std::vector<TensorView> items = session.output_list(index);
    for (std::size_t k = 0; k < items.size(); ++k) {
      add(p.kind == Port::Kind::kOptional ? p.name : p.name + "." + std::to_string(k), items[k]);
    }
  }
  return arrays;
}

Result<std::vector<media::Array>> joined_outputs(std::vector<std::vector<media::Array>> runs) {
  if (runs.size() == 1) return std::move(runs[0]);
  std::vector<media::Array> whole = std::move(runs[0]);
  for (media::Array& a : whole) {
    if (a.shape.empty()) a.shape.push_back(1);
  }
  for (std::size_t r = 1; r < runs.size(); ++r) {
    bool fits = runs[r].size() == whole.size();
    for (std::size_t i = 0; fits && i < whole.size(); ++i) {
      media::Array &to = whole[i], &from = runs[r][i];
      if (from.shape.empty()) from.shape.push_back(1);
      fits = from.name == to.name && from.dtype == to.dtype && bits_of(from.dtype) >= 8 &&
             std::equal(from.shape.begin() + 1, from.shape.end(), to.shape.begin() + 1, to.shape.end());
      if (!fits) break;
      to.shape[0] += from.shape[0];
      to.data.insert(to.data.end(), from.data.begin(), from.data.end());
      to.strings.insert(to.strings.end(), from.strings.begin(), from.strings.end());
    }
    if (!fits)
      return invalid("the model takes one batch at a time, and its outputs for them do not fit together")
          .hint("give fewer images");
  }
  return whole;
}

std::map<std::string, std::vector<std::int64_t>> shapes_of(const std::vector<Port>& ports,
                                                           const std::vector<media::Array>& arrays) {
  std::map<std::string, std::vector<std::int64_t>> shapes;
  for (const media::Array& a : arrays) {
    for (const Port& p : ports) {
      if (p.name == a.name && p.kind == Port::Kind::kTensor && p.known_rank) shapes[p.name] = a.shape;
    }
  }
  return shapes;
}

}  // namespace mote::cli
