#include "samples.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "base/text.h"
#include "media/labels.h"
#include "media/npy.h"
#include "media/npz.h"

namespace mote::cli {
namespace {

namespace fs = std::filesystem;

bool is_image(const fs::path& p) {
  std::string ending = p.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const char* known : {".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm"}) {
    if (ending == known) return true;
  }
  return false;
}

class Limited : public SampleSource {
 public:
  explicit Limited(std::int64_t limit) : limit_(limit) {}
  Status rewind() final {
    given_ = 0;
    return restart();
  }
  Result<const Sample*> next() final {
    if (limit_ > 0 && given_ == limit_) return static_cast<const Sample*>(nullptr);
    ++given_;
    return advance();
  }

 protected:
  virtual Status restart() = 0;
  virtual Result<const Sample*> advance() = 0;
  // A view of an array under the name of its input.
  static void give(Sample& sample, media::Array& array) {
    sample.inputs.emplace_back(array.name, TensorView::of(array.data.data(), array.dtype, array.shape));
  }

 private:
  std::int64_t limit_, given_ = 0;
};

// ---- images

class ImageSamples final : public Limited {
 public:
  ImageSamples(const SampleOptions& o, const Model& model, media::Limits limits)
      : Limited(o.limit), model_(model), limits_(limits), images_(o.images) {}

  // DIR/*.png without labels, DIR/CLASS/*.png with: CLASS is a number, a label of the model, or counts in the order of
  // names.
  Status find(const std::string& dir) {
    std::error_code failed;
    std::vector<std::string> folders;
    for (const auto& e : fs::directory_iterator(dir, failed)) {
      if (e.is_directory()) folders.push_back(e.path().filename().string());
      if (e.is_regular_file() && is_image(e.path())) files_.emplace_back(e.path().string(), -1);
    }
    if (failed) return Status(Code::kNotFound, "cannot be read: " + failed.message()).at(dir);
    std::sort(folders.begin(), folders.end());
    bool numbers =
        std::all_of(folders.begin(), folders.end(), [](const std::string& s) { return parse_int(s).has_value(); });
    Result<std::vector<std::string>> labels = media::labels_from_metadata(model_.metadata());
    for (std::size_t i = 0; i < folders.size(); ++i) {
      std::int64_t label = static_cast<std::int64_t>(i);
      if (numbers) label = *parse_int(folders[i]);
      if (!numbers && labels.ok() && !labels->empty()) {
        auto it = std::find(labels->begin(), labels->end(), folders[i]);
        if (it == labels->end())
          return invalid("the model has no label " + mote::quoted(folders[i])).at(dir + "/" + folders[i]);
        label = it - labels->begin();
      }
      for (const auto& e : fs::recursive_directory_iterator(dir + "/" + folders[i], failed)) {
        if (e.is_regular_file() && is_image(e.path())) files_.emplace_back(e.path().string(), label);
      }
    }
    if (files_.empty()) return Status(Code::kNotFound, "there are no images").at(dir).hint("PNG, JPEG, BMP or PPM");
    // Classes alternate, so that the first few samples hold all of them.
    std::map<std::int64_t, std::int64_t> turn;
    std::sort(files_.begin(), files_.end());
    std::vector<std::pair<std::int64_t, std::size_t>> order;
    for (std::size_t i = 0; i < files_.size(); ++i) order.emplace_back(turn[files_[i].second]++, i);
    std::sort(order.begin(), order.end());
    std::vector<std::pair<std::string, std::int64_t>> sorted;
    for (const auto& [t, i] : order) sorted.push_back(files_[i]);
    files_ = std::move(sorted);
    return {};
  }

 private:
  Status restart() override {
    at_ = 0;
    return {};
  }

  Result<const Sample*> advance() override {
    std::int64_t per = 1;
    for (const Port& p : model_.inputs()) {
      if (!p.state && p.shape.size() == 4) per = std::max<std::int64_t>(parse_int(p.shape[0]).value_or(1), 1);
    }
    if (at_ + static_cast<std::size_t>(per) > files_.size()) return static_cast<const Sample*>(nullptr);
    sample_ = {};
    images_.files.clear();
    for (std::int64_t i = 0; i < per; ++i, ++at_) {
      images_.files.push_back(files_[at_].first);
      if (files_[at_].second >= 0) sample_.labels.push_back(files_[at_].second);
    }
    bool quiet = std::exchange(globals.quiet, globals.quiet || said_);
    said_ = true;
    Result<std::vector<media::Array>> arrays = images_.batches(model_, model_.inputs(), {}, limits_);
    globals.quiet = quiet;
    MOTE_ASSIGN(arrays_, std::move(arrays));
    for (media::Array& a : arrays_) give(sample_, a);
    return static_cast<const Sample*>(&sample_);
  }

  const Model& model_;
  media::Limits limits_;
  ImageOptions images_;
  std::vector<std::pair<std::string, std::int64_t>> files_;
  std::size_t at_ = 0;
  bool said_ = false;
  std::vector<media::Array> arrays_;
  Sample sample_;
};

// ---- arrays

// The samples in one .npz: the rows of its arrays where they are batches, else all of it.
class Records {
 public:
  Records(const Model& model, const media::Limits& limits) : model_(model), limits_(limits) {}

  Status open(std::span<const std::byte> bytes, const std::string& name) {
    Result<std::vector<media::Array>> read = media::read_npz(bytes, limits_);
    if (!read.ok()) return std::move(read).status().at(name);
    arrays_.clear();
    labels_.clear();
    row_ = 0;
    rows_ = 1;
    std::vector<std::int64_t> parts;
    for (media::Array& a : *read) {
      if (a.name == "labels") {
        if (Status s = take_labels(a); !s.ok()) return std::move(s).at(name);
        continue;
      }
      const Port* port = port_of(a.name);
      if (!port)
        return invalid("the model has no input named " + mote::quoted(a.name))
            .at(name)
            .hint("arrays are named as the inputs, or in_0, in_1 ... by position; right answers are called labels");
      a.name = port->name;
      if (Status s = media::narrow(a, port->dtype); !s.ok()) return std::move(s).at(name);
      arrays_.push_back(std::move(a));
    }
    if (arrays_.empty()) return invalid("there are no inputs in it").at(name);
    rows_ = rows_of();
    return {};
  }

  bool next(Sample& sample) {
    if (row_ == rows_) return false;
    sample = {};
    for (media::Array& a : arrays_) {
      std::vector<std::int64_t> shape = a.shape;
      std::int64_t bytes = static_cast<std::int64_t>(a.data.size()) / rows_;
      if (rows_ > 1) shape[0] /= rows_;
      sample.inputs.emplace_back(a.name, TensorView::of(a.data.data() + row_ * bytes, a.dtype, shape));
    }
    std::size_t per = labels_.size() / static_cast<std::size_t>(rows_);
    auto first = labels_.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(row_) * per);
    sample.labels.assign(first, first + static_cast<std::ptrdiff_t>(per));
    ++row_;
    return true;
  }

 private:
  const Port* port_of(const std::string& name) const {
    std::int64_t left = name.starts_with("in_") ? parse_int(std::string_view(name).substr(3)).value_or(-1) : -1;
    for (const Port& p : model_.inputs()) {
      if (p.name == name) return &p;
    }
    for (const Port& p : model_.inputs()) {
      if (!p.state && left-- == 0) return &p;
    }
    return nullptr;
  }

  Status take_labels(const media::Array& a) {
    std::int64_t count = bits_of(a.dtype) >= 8 ? static_cast<std::int64_t>(a.data.size()) * 8 / bits_of(a.dtype) : 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::byte* at = a.data.data() + i * bits_of(a.dtype) / 8;
      auto read = [&](auto v) {
        std::memcpy(&v, at, sizeof v);
        labels_.push_back(static_cast<std::int64_t>(v));
        return Status();
      };
      switch (a.dtype) {
        case DType::i64:
          MOTE_TRY(read(std::int64_t{}));
          break;
        case DType::i32:
          MOTE_TRY(read(std::int32_t{}));
          break;
        case DType::i16:
          MOTE_TRY(read(std::int16_t{}));
          break;
        case DType::u8:
          MOTE_TRY(read(std::uint8_t{}));
          break;
        case DType::i8:
          MOTE_TRY(read(std::int8_t{}));
          break;
        default:
          return invalid("labels are integers").at("array 'labels'");
      }
    }
    return {};
  }

  // How many runs the arrays are good for.
  std::int64_t rows_of() const {
    std::int64_t rows = 0;
    for (const media::Array& a : arrays_) {
      const Port* port = port_of(a.name);
      if (a.shape.empty() || !port->known_rank || port->shape.size() != a.shape.size()) return 1;
      std::optional<std::int64_t> batch = parse_int(port->shape[0]);
      bool labelled = !labels_.empty() && static_cast<std::int64_t>(labels_.size()) == a.shape[0];
      std::int64_t mine = 1;
      if (batch && *batch > 0 && a.shape[0] % *batch == 0) mine = a.shape[0] / *batch;
      if (!batch && labelled) mine = a.shape[0];
      if (rows != 0 && rows != mine) return 1;
      rows = mine;
    }
    return std::max<std::int64_t>(rows, 1);
  }

  const Model& model_;
  media::Limits limits_;
  std::vector<media::Array> arrays_;
  std::vector<std::int64_t> labels_;
  std::int64_t row_ = 0, rows_ = 0;
};

class FileSamples final : public Limited {
 public:
  FileSamples(const SampleOptions& o, const Model& model, const media::Limits& limits)
      : Limited(o.limit), files_(o.files), records_(model, limits) {}

 private:
  Status restart() override {
    file_ = 0;
    open_ = false;
    return {};
  }
  Result<const Sample*> advance() override {
    for (;;) {
      if (open_ && records_.next(sample_)) return static_cast<const Sample*>(&sample_);
      if (file_ == files_.size()) return static_cast<const Sample*>(nullptr);
      MOTE_ASSIGN(FileMap map, FileMap::open(files_[file_]));
      MOTE_TRY(records_.open(map.bytes(), files_[file_]));
      ++file_;
      open_ = true;
    }
  }

  std::vector<std::string> files_;
  Records records_;
  std::size_t file_ = 0;
  bool open_ = false;
  Sample sample_;
};

// A command's stdout: .npz archives, one behind the other.
class GeneratedSamples final : public Limited {
 public:
  GeneratedSamples(const SampleOptions& o, const Model& model, const media::Limits& limits)
      : Limited(o.limit), command_(o.generator), limits_(limits), records_(model, limits) {}
  ~GeneratedSamples() override {
    if (pipe_) pclose(pipe_);
  }

 private:
  Status restart() override {
    if (pipe_) pclose(pipe_);
    buffer_.clear();
    open_ = false;
    std::fflush(nullptr);
    pipe_ = popen(command_.c_str(), "r");
    if (!pipe_) return Status(Code::kIo, "cannot be run").at("--generator");
    return {};
  }

  // Bytes of the first archive in the buffer: its end record tells where its directory lies, which is just before it.
  std::size_t whole() {
    constexpr std::string_view kEnd("PK\5\6", 4);
    std::string_view text(reinterpret_cast<const char*>(buffer_.data()), buffer_.size());
    for (std::size_t at = text.find(kEnd, scanned_); at != std::string_view::npos; at = text.find(kEnd, at + 1)) {
      if (at + 22 > text.size()) break;
      auto number = [&](std::size_t offset, int bytes) {
        std::size_t v = 0;
        for (int i = bytes; i-- > 0;)
          v = v << 8 | static_cast<unsigned char>(text[at + offset + static_cast<std::size_t>(i)]);
        return v;
      };
      std::size_t end = at + 22 + number(20, 2);
      if (number(12, 4) + number(16, 4) == at && end <= text.size()) return end;
    }
    scanned_ = text.size() > 64 ? text.size() - 64 : 0;
    return 0;
  }

  Result<const Sample*> advance() override {
    for (;;) {
      if (open_ && records_.next(sample_)) return static_cast<const Sample*>(&sample_);
      open_ = false;
      scanned_ = 0;
      std::size_t size = whole();
      while (size == 0) {
        std::size_t had = buffer_.size();
        buffer_.resize(had + (1 << 16));
        std::size_t got = pipe_ ? std::fread(buffer_.data() + had, 1, 1 << 16, pipe_) : 0;
        buffer_.resize(had + got);
        if (got == 0) return finish();
        if (static_cast<std::int64_t>(buffer_.size()) > limits_.max_bytes)
          return Status(Code::kResourceExhausted, "a record does not end").at("--generator");
        size = whole();
      }
      MOTE_TRY(records_.open(std::span(buffer_).first(size), "--generator"));
      buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(size));
      open_ = true;
    }
  }

  Result<const Sample*> finish() {
    int code = pipe_ ? pclose(pipe_) : 0;
    pipe_ = nullptr;
    if (code != 0) return invalid("the command failed").at("--generator").hint(command_);
    if (!buffer_.empty())
      return invalid("the command's output is no sequence of .npz archives").at("--generator").hint(command_);
    return static_cast<const Sample*>(nullptr);
  }

  std::string command_;
  media::Limits limits_;
  Records records_;
  std::FILE* pipe_ = nullptr;
  std::vector<std::byte> buffer_;
  std::size_t scanned_ = 0;
  bool open_ = false;
  Sample sample_;
};

}  // namespace

void SampleOptions::add(CLI::App& app) {
  auto* dir = app.add_option("--images", images_dir,
                             "folder of images; with a folder for every class inside, they are labelled");
  auto* npz =
      app.add_option("--inputs", files, "samples as .npz: arrays by input name, right answers as labels")->take_all();
  auto* command = app.add_option("--generator", generator, "a command that writes .npz archives to its stdout");
  dir->excludes(npz)->excludes(command);
  npz->excludes(command);
  app.add_option("--samples", limit, "use the first N samples only")->check(CLI::NonNegativeNumber);
  images.add(app);
  app.remove_option(app.get_option("--image"));
}

Result<std::unique_ptr<SampleSource>> SampleOptions::open(const Model& model, const media::Limits& limits) const {
  if (!images_dir.empty()) {
    auto source = std::make_unique<ImageSamples>(*this, model, limits);
    MOTE_TRY(source->find(images_dir));
    return std::unique_ptr<SampleSource>(std::move(source));
  }
  if (!files.empty()) return std::unique_ptr<SampleSource>(std::make_unique<FileSamples>(*this, model, limits));
  if (!generator.empty())
    return std::unique_ptr<SampleSource>(std::make_unique<GeneratedSamples>(*this, model, limits));
  return std::unique_ptr<SampleSource>();
}

Result<std::optional<double>> parse_drop(const std::string& text) {
  if (text.empty()) return std::optional<double>();
  bool percent = text.ends_with('%');
  std::optional<double> v = parse_float(std::string_view(text).substr(0, text.size() - (percent ? 1 : 0)));
  if (!v || !(*v >= 0 && *v <= (percent ? 100 : 1)))
    return invalid("--max-drop expects a share such as 0.5%, got " + mote::quoted(text));
  return std::optional<double>(percent ? *v / 100 : *v);
}

void show_progress(std::string_view stage, std::int64_t done, std::int64_t total) {
  progress(total > 0  ? concat(stage, " ", done, " of ", total)
           : done > 0 ? concat(stage, " ", done)
                      : std::string(stage));
}

}  // namespace mote::cli
