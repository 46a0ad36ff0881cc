#include <algorithm>
#include <cstdio>
#include <cstring>
#include <random>

#include "base/file.h"
#include "base/half.h"
#include "base/text.h"
#include "cli.h"
#include "media/npy.h"
#include "media/npz.h"

namespace mote::cli {

Globals globals;

void ModelOptions::add(CLI::App& app, bool positional) {
  if (positional)
    app.add_option("MODEL", path, "model file: ONNX, .mote or Mote IR; recognised by content")->required();
  app.add_option("--threads", threads, "threads to compute with; 0: all that the process may use")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--shape", shapes, "NAME=1,3,224,224: the shape of an input")->take_all();
  app.add_option("--dim", dims, "SYMBOL=N: the extent of a named dimension")->take_all();
  app.add_option("--state", states, "INPUT=OUTPUT: feed an output back to an input")->take_all();
  app.add_option("--signature", signature, "entry point, where the model has several");
  app.add_option("--precision", precision, "f32, bf16 or f16")->check(CLI::IsMember({"f32", "bf16", "f16"}));
  app.add_option("--target", target, "host, reference, or an instruction set not above this CPU's");
  app.add_flag("--reproducible", reproducible, "the same bits on every CPU");
  app.add_option("--max-ram", max_ram, "refuse to use more memory than this, e.g. 64M");
  app.add_option("--deadline", deadline, "stop a run after this time, e.g. 20ms (exit code 1)");
  app.add_option("--seed", seed, "of random inputs and random ops");
}

namespace {

Status split_pair(const std::string& text, const char* flag, std::string& key, std::string& value) {
  std::size_t eq = text.rfind('=');
  if (eq == std::string::npos || eq == 0) return invalid(std::string(flag) + " expects NAME=VALUE, got '" + text + "'");
  key = text.substr(0, eq);
  value = text.substr(eq + 1);
  return {};
}

}  // namespace

Result<LoadOptions> ModelOptions::load() const {
  LoadOptions o;
  std::string key, value;
  for (const std::string& s : shapes) {
    MOTE_TRY(split_pair(s, "--shape", key, value));
    std::vector<std::int64_t> shape;
    bool fine = true;
    if (!value.empty()) {
      split(value, ',', [&](std::string_view part) {
        std::optional<std::int64_t> v = parse_int(part);
        fine = fine && v && *v >= 0;
        shape.push_back(v.value_or(0));
      });
    }
    if (!fine) return invalid("--shape expects NAME=1,3,224,224, got '" + s + "'");
    o.shapes[key] = std::move(shape);
  }
  for (const std::string& s : dims) {
    MOTE_TRY(split_pair(s, "--dim", key, value));
    std::optional<std::int64_t> v = parse_int(value);
    if (!v || *v < 0) return invalid("--dim expects SYMBOL=N, got '" + s + "'");
    o.dims[key] = *v;
  }
  for (const std::string& s : states) {
    MOTE_TRY(split_pair(s, "--state", key, value));
    o.states[key] = value;
  }
  o.precision = precision == "bf16" ? Precision::kBf16 : precision == "f16" ? Precision::kF16 : Precision::kF32;
  o.reproducible = reproducible;
  o.target = target;
  if (!max_ram.empty()) {
    std::optional<std::int64_t> bytes = parse_size(max_ram);
    if (!bytes || *bytes <= 0) return invalid("--max-ram expects a size such as 64M, got '" + max_ram + "'");
    o.max_bytes = *bytes;
  }
  return o;
}

Result<SessionOptions> ModelOptions::session() const {
  MOTE_ASSIGN(LoadOptions l, load());
  SessionOptions o;
  o.threads = threads;
  o.max_bytes = l.max_bytes;
  o.seed = seed;
  o.signature = signature;
  return o;
}

Result<RunOptions> ModelOptions::run() const {
  RunOptions o;
  if (!deadline.empty()) {
    std::optional<std::int64_t> ns = parse_duration_ns(deadline);
    if (!ns || *ns <= 0) return invalid("--deadline expects a time such as 20ms, got '" + deadline + "'");
    o.deadline_ns = *ns;
  }
  return o;
}

int fail(const Status& status) {
  if (globals.json) {
    Json error = {{"message", status.message()}, {"where", status.where()}, {"hint", status.hint()}};
    print_json(Json{{"error", error}});
  } else {
    const char* red = globals.colour ? "\033[31m" : "";
    const char* off = globals.colour ? "\033[0m" : "";
    std::string where(status.where());
    std::fprintf(stderr, "%serror:%s %s%s%s\n", red, off, where.c_str(), where.empty() ? "" : ": ",
                 std::string(status.message()).c_str());
    if (!status.hint().empty()) std::fprintf(stderr, "  %s\n", std::string(status.hint()).c_str());
  }
  return status.code() == Code::kDeadlineExceeded ? 1 : 2;
}

void print_json(const Json& json) {
  std::string text = json.dump(2, ' ', false, Json::error_handler_t::replace);
  std::printf("%s\n", text.c_str());
}

void say(const std::string& message) {
  if (!globals.quiet) std::fprintf(stderr, "%s\n", message.c_str());
}

void detail(const std::string& message) {
  if (globals.verbose > 0 && !globals.quiet) std::fprintf(stderr, "%s\n", message.c_str());
}

std::string shape_text(std::span<const std::int64_t> dims) {
  std::string s = "[";
  for (std::size_t i = 0; i < dims.size(); ++i) s += (i ? "," : "") + std::to_string(dims[i]);
  return s + "]";
}

Result<std::vector<media::Array>> read_arrays(const std::string& npz, const std::vector<std::string>& named) {
  std::vector<media::Array> arrays;
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  if (!npz.empty()) {
    MOTE_ASSIGN(std::string bytes, read_file(npz, kMost));
    Result<std::vector<media::Array>> read = media::read_npz(std::as_bytes(std::span(bytes)));
    if (!read.ok()) return std::move(read).status().at(npz);
    arrays = *std::move(read);
  }
  for (const std::string& s : named) {
    std::string name, path;
    MOTE_TRY(split_pair(s, "--input", name, path));
    MOTE_ASSIGN(std::string bytes, read_file(path, kMost));
    Result<media::Array> array = media::read_npy(std::as_bytes(std::span(bytes)));
    if (!array.ok()) return std::move(array).status().at(path);
    array->name = name;
    arrays.push_back(*std::move(array));
  }
  return arrays;
}

namespace {

// An array under the input's dtype: as it is, or an integer or bool of another width whose values fit nothing else.
Status bind_array(Session& session, int index, media::Array& array) {
  const Port& port = session.inputs()[static_cast<std::size_t>(index)];
  if (array.dtype == DType::string) return session.set_input_strings(index, array.shape, array.strings);
  if (array.shape.size() > kMaxRank) return unsupported("rank above 8").at("input '" + port.name + "'");
  // Types that numpy lacks come as the 8, 16 bit words that hold them.
  DType dtype = array.dtype;
  if (bits_of(port.dtype) == bits_of(dtype) && port.dtype != dtype &&
      ((port.dtype == DType::bf16 && dtype == DType::u16) ||
       (is_float(port.dtype) && bits_of(port.dtype) == 8 && dtype == DType::u8))) {
    dtype = port.dtype;
  }
  return session.set_input(index, TensorView::of(array.data.data(), dtype, array.shape));
}

}  // namespace

Status bind_inputs(Session& session, std::vector<media::Array>& arrays) {
  const std::vector<Port>& ports = session.inputs();
  std::vector<bool> bound(ports.size(), false);
  for (media::Array& a : arrays) {
    int index = session.input_index(a.name);
    if (index < 0 && a.name.starts_with("in_")) {
      // By position among the inputs that the caller binds.
      if (std::optional<std::int64_t> position = parse_int(std::string_view(a.name).substr(3))) {
        std::int64_t left = *position;
        for (std::size_t i = 0; i < ports.size() && index < 0; ++i) {
          if (!ports[i].state && left-- == 0) index = static_cast<int>(i);
        }
      }
    }
    if (index < 0) {
      std::string names;
      for (const Port& p : ports) names += (names.empty() ? "" : ", ") + p.name;
      return invalid("the model has no input named '" + a.name + "'").hint("its inputs are: " + names);
    }
    MOTE_TRY(bind_array(session, index, a));
    bound[static_cast<std::size_t>(index)] = true;
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

Result<std::vector<media::Array>> random_inputs(const std::vector<Port>& ports, std::uint64_t seed) {
  std::vector<media::Array> arrays;
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  for (const Port& p : ports) {
    if (p.state) continue;
    if (p.kind != Port::Kind::kTensor || !p.known_rank || p.dtype == DType::string) {
      return invalid("input '" + p.name + "' cannot be made up").hint("give inputs with --inputs FILE.npz");
    }
    media::Array a;
    a.name = p.name;
    a.dtype = p.dtype;
    std::int64_t count = 1;
    for (const std::string& d : p.shape) {
      a.shape.push_back(parse_int(d).value_or(1));
      count *= a.shape.back();
    }
    a.data.resize(static_cast<std::size_t>(bytes_of(p.dtype, count)));
    for (std::int64_t i = 0; i < count; ++i) {
      std::byte* at = a.data.data() + i * bits_of(p.dtype) / 8;
      auto put = [&](auto v) { std::memcpy(at, &v, sizeof v); };
      switch (p.dtype) {
        case DType::f32:
          put(normal(random));
          break;
        case DType::f64:
          put(static_cast<double>(normal(random)));
          break;
        case DType::f16:
          put(f32_to_f16(normal(random)));
          break;
        case DType::bf16:
          put(f32_to_bf16(normal(random)));
          break;
        default:
          if (bits_of(p.dtype) >= 8) *at = static_cast<std::byte>(random() & 1);
      }
    }
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
    } else {
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

}  // namespace mote::cli
