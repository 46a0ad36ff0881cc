// mote-run: runs a prepared model (.mote) over .npy files. The smallest program that does so: no importers, no passes.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "media/npy.h"
#include "mote/model.h"
#include "mote/version.h"

namespace mote {
namespace {

constexpr std::string_view kHelp = R"(usage: mote-run MODEL.mote [OPTION]...

Runs a prepared model, which mote convert MODEL -o MODEL.mote makes.

  --input [NAME=]FILE.npy   an input; without a name, the next one by position
  --fill                    inputs that are not given: seeded numbers from -1 to 1, integers 0 or 1; open extents are 1
  --output [NAME=]FILE.npy  writes an output; without a name, the next one by position
  --signature NAME          the entry point, where the model has several
  --before NAME             runs this entry point first, with its inputs by name; they share the model's states
  --threads N               0: all that the process may use (default)
  --seed N                  of random ops and --fill
  --repeat N                runs N times more and prints the shortest time
  --json                    prints one JSON object
  --version, --help

example: mote-run digits.mote --input image.npy --output scores.npy
Exit code 2: bad usage, file or input.
)";

struct NamedFile {
  std::string name, path;
};

struct Arguments {
  std::string model, signature;
  std::vector<NamedFile> inputs, outputs;
  std::vector<std::string> before;
  std::int64_t threads = 0, seed = 0, repeat = 0;
  bool fill = false, json = false, done = false;  // done: help or version was all that was asked for
};

double now_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += "01"[c >> 4];
      out += "0123456789abcdef"[c & 15];
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out += '"';
}

NamedFile named_file(std::string_view text) {
  std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return {{}, std::string(text)};
  return {std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

Status set_number(std::int64_t& number, std::string_view option, std::string_view text) {
  std::optional<std::int64_t> n = parse_int(text);
  if (!n || *n < 0) return invalid(concat(option, ": a number is wanted, not ", quoted(text)));
  number = *n;
  return {};
}

Result<Arguments> parse_arguments(int argc, char** argv) {
  Arguments a;
  for (int i = 1; i < argc; ++i) {
    std::string_view option = argv[i];
    if (option == "--help" || option == "-h" || option == "--version") {
      if (option == "--version") {
        print(concat("mote-run ", kVersion, "\n"));
      } else {
        print(kHelp);
      }
      a.done = true;
      return a;
    }
    if (option == "--fill" || option == "--json") {
      (option == "--fill" ? a.fill : a.json) = true;
      continue;
    }
    if (!option.starts_with("-")) {
      if (!a.model.empty()) return invalid(concat("a second model: ", quoted(option)));
      a.model = option;
      continue;
    }
    if (i + 1 == argc) return invalid(concat(option, ": unknown, or its value is missing")).hint("mote-run --help");
    std::string_view value = argv[++i];
    if (option == "--input") {
      a.inputs.push_back(named_file(value));
    } else if (option == "--output") {
      a.outputs.push_back(named_file(value));
    } else if (option == "--signature") {
      a.signature = value;
    } else if (option == "--before") {
      a.before.emplace_back(value);
    } else if (option == "--threads") {
      MOTE_TRY(set_number(a.threads, option, value));
    } else if (option == "--seed") {
      MOTE_TRY(set_number(a.seed, option, value));
    } else if (option == "--repeat") {
      MOTE_TRY(set_number(a.repeat, option, value));
    } else {
      return invalid(concat("there is no option ", option)).hint("mote-run --help");
    }
  }
  if (a.model.empty()) return invalid("no model is given").hint("mote-run --help");
  return a;
}

// The port that a file is meant for: the named one, or the `position`-th that the caller binds.
Result<int> find_port(const std::vector<Port>& ports, const std::string& name, std::size_t position) {
  std::string names;
  std::size_t seen = 0;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (name.empty() ? !ports[i].state && seen++ == position : ports[i].name == name) return static_cast<int>(i);
    names += (names.empty() ? "" : ", ") + ports[i].name;
  }
  return invalid(name.empty() ? concat("there is no number ", position) : concat("there is none named ", quoted(name)))
      .hint("the model has: " + names);
}

Result<media::Array> read_array(const std::string& path, const Port& port) {
  MOTE_ASSIGN(FileMap file, FileMap::open(path));
  Result<media::Array> array = media::read_npy(file.bytes());
  if (!array.ok()) return std::move(array).status().at(path);
  if (Status s = media::narrow(*array, port.dtype); !s.ok()) return std::move(s).at(path);
  return array;
}

template <class T>
void fill(std::vector<std::byte>& data, std::int64_t count, std::uint64_t& state, bool floats) {
  data.resize(static_cast<std::size_t>(count) * sizeof(T));
  T* out = reinterpret_cast<T*>(data.data());
  for (std::int64_t i = 0; i < count; ++i) {
    // Knuth's multiplier ("The Art of Computer Programming", 3.3.4).
    state = state * 6364136223846793005u + 1442695040888963407u;
    double unit = static_cast<double>(state >> 11) * 0x1p-53;
    out[i] = floats ? static_cast<T>(2 * unit - 1) : static_cast<T>(unit < 0.5 ? 0 : 1);
  }
}

Result<media::Array> filled(const Port& port, std::uint64_t& state) {
  media::Array a;
  a.dtype = port.dtype;
  std::int64_t count = 1;
  for (const std::string& extent : port.shape) {
    a.shape.push_back(std::max<std::int64_t>(parse_int(extent).value_or(1), 0));
    count *= a.shape.back();
  }
  switch (bits_of(port.dtype)) {
    case 8:
      fill<std::uint8_t>(a.data, count, state, false);
      return a;
    case 16:
      if (is_float(port.dtype)) break;
      fill<std::uint16_t>(a.data, count, state, false);
      return a;
    case 32:
      port.dtype == DType::f32 ? fill<float>(a.data, count, state, true)
                               : fill<std::uint32_t>(a.data, count, state, false);
      return a;
    case 64:
      if (port.dtype == DType::string || port.dtype == DType::c64) break;
      port.dtype == DType::f64 ? fill<double>(a.data, count, state, true)
                               : fill<std::uint64_t>(a.data, count, state, false);
      return a;
    default:
      break;
  }
  return unsupported(concat("values of ", name_of(port.dtype), " are not made up")).hint("give it with --input");
}

// Reads or makes all inputs and binds them; `arrays` holds their memory.
Status bind_inputs(Session& session, const std::vector<NamedFile>& files, const Arguments& a,
                   std::vector<media::Array>& arrays) {
  const std::vector<Port>& ports = session.inputs();
  std::vector<bool> bound(ports.size());
  arrays.resize(ports.size());
  std::uint64_t random = static_cast<std::uint64_t>(a.seed);
  std::size_t position = 0;
  auto bind = [&](std::size_t i, Result<media::Array> array) -> Status {
    if (!array.ok()) return std::move(array).status().at("input " + quoted(ports[i].name));
    arrays[i] = *std::move(array);
    const media::Array& in = arrays[i];
    bound[i] = true;
    int index = static_cast<int>(i);
    if (in.dtype == DType::string) return session.set_input_strings(index, in.shape, in.strings);
    if (in.shape.size() > kMaxRank) return invalid(concat("an input of ", in.shape.size(), " axes"));
    return session.set_input(index, TensorView::of(arrays[i].data.data(), in.dtype, in.shape));
  };
  for (const NamedFile& file : files) {
    Result<int> i = find_port(ports, file.name, file.name.empty() ? position++ : 0);
    if (!i.ok()) return std::move(i).status().at("--input");
    MOTE_TRY(bind(static_cast<std::size_t>(*i), read_array(file.path, ports[static_cast<std::size_t>(*i)])));
  }
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (bound[i] || ports[i].state) continue;
    if (ports[i].kind == Port::Kind::kOptional) {
      MOTE_TRY(session.set_input_absent(static_cast<int>(i)));
    } else if (a.fill && ports[i].kind == Port::Kind::kTensor) {
      MOTE_TRY(bind(i, filled(ports[i], random)));
    } else {
      return invalid(concat("input ", quoted(ports[i].name), " is missing")).hint("--input NAME=FILE.npy, or --fill");
    }
  }
  return {};
}

Status write_output(const Session& session, int i, const std::string& path) {
  const Port& port = session.outputs()[static_cast<std::size_t>(i)];
  if (port.kind != Port::Kind::kTensor || !session.output_present(i)) {
    return unsupported(concat("output ", quoted(port.name), " is no tensor")).at(path);
  }
  const TensorView& v = session.output(i);
  std::vector<std::string> strings = session.output_strings(v);
  std::span<const std::byte> data(v.data, v.dtype == DType::string ? 0 : static_cast<std::size_t>(v.bytes()));
  Result<std::vector<std::byte>> bytes =
      media::write_npy(media::ArrayView(port.name, v.dtype, v.shape(), data, strings));
  if (!bytes.ok()) return std::move(bytes).status().at(path);
  MOTE_ASSIGN(FileWriter file, FileWriter::create(path));
  MOTE_TRY(file.write(*bytes));
  return file.commit();
}

struct Times {
  double ready = 0, first = 0, least = 0;
};

std::string describe_outputs(const Session& session, bool json) {
  std::string out;
  for (std::size_t i = 0; i < session.outputs().size(); ++i) {
    const Port& port = session.outputs()[i];
    bool tensor = port.kind == Port::Kind::kTensor;
    TensorView v = tensor ? session.output(static_cast<int>(i)) : TensorView();
    std::string shape;
    for (std::int64_t n : v.shape()) shape += concat(shape.empty() ? "" : json ? ", " : ",", n);
    std::string_view dtype = tensor ? name_of(v.dtype) : port.kind == Port::Kind::kList ? "list" : "optional";
    if (json) {
      out += concat(i ? ", " : "", "{\"name\": ", json_string(port.name), ", \"dtype\": \"", dtype, "\", \"shape\": [",
                    shape, "]}");
    } else {
      out += concat(port.name, ": ", dtype, "[", shape, "]\n");
    }
  }
  return out;
}

void report(const Session& session, const Model& model, const Arguments& a, const Times& t) {
  std::string outputs = describe_outputs(session, a.json);
  if (a.json) {
    print(concat("{\"outputs\": [", outputs, "], \"target\": ", json_string(model.target()), ", \"ready_ms\": ",
                 t.ready, ", \"first_ms\": ", t.first, ", \"min_ms\": ", t.least, ", \"runs\": ", a.repeat + 1,
                 ", \"arena_bytes\": ", session.arena_bytes(), ", \"weight_bytes\": ", model.weight_bytes(), "}\n"));
    return;
  }
  print(outputs);
  print(concat("ready in ", t.ready, " ms, first run ", t.first, " ms"));
  if (a.repeat > 0) print(concat(", shortest of ", a.repeat, " more ", t.least, " ms"));
  print("\n");
}

// Runs the signatures that come before, each with the inputs that it has by name. Gives the inputs that are left.
Result<std::vector<NamedFile>> run_before(const Session& session, const Arguments& a) {
  std::vector<bool> taken(a.inputs.size());
  for (const std::string& name : a.before) {
    MOTE_ASSIGN(Session before, session.sibling(name));
    std::vector<NamedFile> own;
    for (std::size_t i = 0; i < a.inputs.size(); ++i) {
      if (a.inputs[i].name.empty() || before.input_index(a.inputs[i].name) < 0) continue;
      own.push_back(a.inputs[i]);
      taken[i] = true;
    }
    std::vector<media::Array> arrays;
    Status status = bind_inputs(before, own, a, arrays);
    if (status.ok()) status = before.run();
    if (!status.ok()) return std::move(status).at("signature " + quoted(name));
  }
  std::vector<NamedFile> left;
  for (std::size_t i = 0; i < a.inputs.size(); ++i) {
    if (!taken[i] || session.input_index(a.inputs[i].name) >= 0) left.push_back(a.inputs[i]);
  }
  return left;
}

Status run(const Arguments& a) {
  double start = now_ms();
  MOTE_ASSIGN(Model model, Model::load(a.model));
  SessionOptions with;
  with.threads = static_cast<int>(std::min<std::int64_t>(a.threads, 1 << 16));
  with.seed = static_cast<std::uint64_t>(a.seed);
  with.signature = a.signature;
  MOTE_ASSIGN(Session session, model.session(with));
  Times t;
  t.ready = now_ms() - start;
  std::vector<media::Array> arrays;
  MOTE_ASSIGN(std::vector<NamedFile> files, run_before(session, a));
  MOTE_TRY(bind_inputs(session, files, a, arrays));
  for (std::int64_t i = 0; i <= a.repeat; ++i) {
    start = now_ms();
    MOTE_TRY(session.run());
    double ms = now_ms() - start;
    if (i == 0) t.first = ms;
    t.least = i <= 1 ? ms : std::min(t.least, ms);
  }
  std::size_t position = 0;
  for (const NamedFile& file : a.outputs) {
    Result<int> i = find_port(session.outputs(), file.name, file.name.empty() ? position++ : 0);
    if (!i.ok()) return std::move(i).status().at("--output");
    MOTE_TRY(write_output(session, *i, file.path));
  }
  report(session, model, a, t);
  return {};
}

int fail(const Status& status, bool json) {
  std::string hint = status.hint().empty() ? std::string() : concat("\n  ", status.hint());
  std::string where = status.where().empty() ? std::string() : concat(status.where(), ": ");
  if (json) {
    print(concat("{\"error\": {\"message\": ", json_string(status.message()),
                 ", \"where\": ", json_string(status.where()), ", \"hint\": ", json_string(status.hint()), "}}\n"));
  } else {
    std::fprintf(stderr, "mote-run: %s%s%s\n", where.c_str(), std::string(status.message()).c_str(), hint.c_str());
  }
  return 2;
}

}  // namespace
}  // namespace mote

int main(int argc, char** argv) {
  mote::Result<mote::Arguments> arguments = mote::parse_arguments(argc, argv);
  if (!arguments.ok()) return mote::fail(arguments.status(), false);
  if (arguments->done) return 0;
  mote::Status status = mote::run(*arguments);
  return status.ok() ? 0 : mote::fail(status, arguments->json);
}
