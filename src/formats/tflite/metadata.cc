// What the file says about itself: description, versions, labels and how images are normalized.
#include <tflite/metadata_generated.h>

#include <cstring>

#include "base/inflate.h"
#include "base/log.h"
#include "base/text.h"
#include "formats/tflite/importer.h"

namespace mote::tflite {
namespace {

constexpr std::size_t kMaxText = 1 << 24;

std::uint64_t number(std::span<const std::byte> b, std::size_t at, int bytes) {
  std::uint64_t v = 0;
  for (int i = bytes - 1; i >= 0; --i) v = v << 8 | std::to_integer<std::uint64_t>(b[at + static_cast<std::size_t>(i)]);
  return v;
}

// A file of the zip archive at the end of the model, as it is or deflated.
Result<std::string> packed_file(std::span<const std::byte> file, std::string_view name) {
  constexpr std::size_t kEnd = 22, kEntry = 46, kLocal = 30;
  std::size_t lowest = file.size() > kEnd + 65535 ? file.size() - kEnd - 65535 : 0;
  std::size_t end = file.size() < kEnd ? 0 : file.size() - kEnd + 1;
  while (end > lowest && number(file, end - 1, 4) != 0x06054b50) --end;
  const Status none = invalid("the model does not end with an archive that has it");
  const Status cut = invalid("the archive that the model ends with is damaged");
  if (end <= lowest) return none;
  --end;
  // Offsets count from where the archive begins, or from the start of the file: both occur.
  std::uint64_t entries = number(file, end + 10, 2), size = number(file, end + 12, 4),
                offset = number(file, end + 16, 4);
  if (size > end) return cut;
  std::size_t at = end - static_cast<std::size_t>(size);
  std::uint64_t base = at >= offset ? at - offset : 0;
  for (std::uint64_t i = 0; i < entries && end - at >= kEntry && number(file, at, 4) == 0x02014b50; ++i) {
    std::size_t name_size = static_cast<std::size_t>(number(file, at + 28, 2));
    std::size_t next =
        at + kEntry + name_size + static_cast<std::size_t>(number(file, at + 30, 2) + number(file, at + 32, 2));
    if (next > end) return cut;
    std::string_view entry(reinterpret_cast<const char*>(file.data()) + at + kEntry, name_size);
    std::uint64_t method = number(file, at + 10, 2), packed = number(file, at + 20, 4),
                  bytes = number(file, at + 24, 4), local = base + number(file, at + 42, 4);
    at = next;
    if (entry != name) continue;
    constexpr std::uint64_t kStored = 0, kDeflated = 8;
    if (method != kStored && method != kDeflated)
      return unsupported(concat("the archive keeps it by the method ", method, ", and only deflate is read"));
    if (local > end || end - local < kLocal) return cut;
    std::uint64_t begin = local + kLocal + number(file, static_cast<std::size_t>(local) + 26, 2) +
                          number(file, static_cast<std::size_t>(local) + 28, 2);
    if (bytes > kMaxText) return invalid(concat("it has more than ", kMaxText, " bytes"));
    if (begin > end || packed > end - begin || (method == kStored && packed != bytes)) return cut;
    const std::span<const std::byte> from =
        file.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(packed));
    if (method == kStored) return std::string(reinterpret_cast<const char*>(from.data()), from.size());
    std::string text(static_cast<std::size_t>(bytes), '\0');
    MOTE_TRY(inflate(from, std::as_writable_bytes(std::span(text))));
    return text;
  }
  return none;
}

class MetadataReader {
 public:
  MetadataReader(Module& module, std::span<const std::byte> file) : module_(module), file_(file) {}

  void read(const meta::ModelMetadata& m) {
    put("tflite.name", text_of(m.name()));
    put("tflite.author", text_of(m.author()));
    put("tflite.license", text_of(m.license()));
    put("tflite.model_version", text_of(m.version()));
    if (size_of(m.subgraph_metadata()) == 0) return;
    const meta::SubGraphMetadata& g = *m.subgraph_metadata()->Get(0);
    if (size_of(g.input_tensor_metadata()) == 1) image(*g.input_tensor_metadata()->Get(0));
    for (std::size_t i = 0; i < size_of(g.output_tensor_metadata()); ++i) {
      labels(g.output_tensor_metadata()->Get(static_cast<flatbuffers::uoffset_t>(i))->associated_files());
    }
    labels(g.associated_files());
    labels(m.associated_files());
  }

 private:
  void put(std::string key, std::string_view v) {
    if (!v.empty() && !module_.find_metadata(key)) module_.metadata.emplace_back(std::move(key), std::string(v));
  }

  // Mote counts pixels from 0 to 1; the file from 0 to 255.
  static std::string shares(const flatbuffers::Vector<float>& values) {
    std::vector<std::string> out;
    for (float v : values) out.push_back(to_text(static_cast<double>(v) / 255));
    return join(out, ",");
  }

  void image(const meta::TensorMetadata& t) {
    const meta::ImageProperties* p = t.content() ? t.content()->content_properties_as_Image() : nullptr;
    if (!p) return;
    put("mote.image.layout", "nhwc");
    if (p->color_space() == meta::ColorSpace::RGB) put("mote.image.channels", "rgb");
    if (p->color_space() == meta::ColorSpace::GRAYSCALE) put("mote.image.channels", "grey");
    for (std::size_t i = 0; i < size_of(t.process_units()); ++i) {
      const auto* n = t.process_units()->Get(static_cast<flatbuffers::uoffset_t>(i))->options_as_Normalization();
      if (!n || size_of(n->mean()) == 0 || size_of(n->std()) == 0) continue;
      put("mote.image.mean", shares(*n->mean()));
      put("mote.image.std", shares(*n->std()));
    }
  }

  void labels(const flatbuffers::Vector<flatbuffers::Offset<meta::AssociatedFile>>* files) {
    for (std::size_t i = 0; i < size_of(files); ++i) {
      const meta::AssociatedFile& f = *files->Get(static_cast<flatbuffers::uoffset_t>(i));
      if (f.type() != meta::FileType::TENSOR_AXIS_LABELS && f.type() != meta::FileType::TENSOR_VALUE_LABELS) continue;
      if (Result<std::string> text = packed_file(file_, text_of(f.name())); text.ok()) {
        put("mote.labels", *text);
      } else {
        log(LogLevel::kWarning,
            concat("the labels in ", mote::quoted(text_of(f.name())), " are not to be had: ", text.status().message()));
      }
    }
  }

  Module& module_;
  std::span<const std::byte> file_;
};

}  // namespace

void Importer::read_metadata() {
  const fbs::Model& m = tflite_.model();
  auto put = [&](std::string key, std::string_view v) {
    if (!v.empty()) module_.metadata.emplace_back(std::move(key), std::string(v));
  };
  put("tflite.description", text_of(m.description()));
  for (std::size_t i = 0; i < size_of(m.metadata()); ++i) {
    const fbs::Metadata& entry = *m.metadata()->Get(static_cast<flatbuffers::uoffset_t>(i));
    std::string_view name = text_of(entry.name());
    Result<std::optional<Range>> data = tflite_.buffer(entry.buffer());
    if (!data.ok() || !*data) continue;
    std::span<const std::byte> bytes = (*data)->bytes();
    if (name == "min_runtime_version") {
      std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      put("tflite.min_runtime_version", text.substr(0, text.find('\0')));
    }
    if (name != "TFLITE_METADATA") continue;
    // Integers are read where they stand.
    std::vector<std::byte> copy;
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % 8 != 0) {
      copy.assign(bytes.begin(), bytes.end());
      bytes = copy;
    }
    flatbuffers::Verifier verifier(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), 32, 100'000);
    if (meta::VerifyModelMetadataBuffer(verifier)) {
      MetadataReader(module_, tflite_.source()->bytes()).read(*meta::GetModelMetadata(bytes.data()));
    } else {
      log(LogLevel::kWarning, "the model's metadata is damaged and left aside");
    }
  }
}

}  // namespace mote::tflite
