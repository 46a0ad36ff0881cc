#include "media/npz.h"

#include <cstring>
#include <set>

#include "base/text.h"
#include "media/npy.h"

#if MOTE_NPZ
#include "media/zip_library.h"
#if MOTE_FILES
#include <cstdio>
#include <filesystem>
#endif
#endif

namespace mote::media {

bool is_zip(std::span<const std::byte> file) {
  return file.size() >= 4 && (std::memcmp(file.data(), "PK\3\4", 4) == 0 || std::memcmp(file.data(), "PK\5\6", 4) == 0);
}

#if MOTE_NPZ
namespace {

constexpr std::int64_t kMaxExpansion = 1032;  // deflate's limit
constexpr std::int64_t kMaxEntries = 1 << 20;

struct Error {
  zip_error_t e;
  Error() { libzip().error_init(&e); }
  ~Error() { libzip().error_fini(&e); }
  Error(const Error&) = delete;
  Error& operator=(const Error&) = delete;
  std::string text() { return libzip().error_strerror(&e); }
};

// An open archive; dropped without writing unless closed.
struct Archive {
  zip_t* zip = nullptr;
  ~Archive() {
    if (zip != nullptr) libzip().discard(zip);
  }
  Status failed(std::string_view what) const {
    return Status(Code::kIo, std::string(what) + ": " + libzip().strerror(zip));
  }
};

Status zip_bomb(const zip_stat_t& st) {
  return Status(Code::kResourceExhausted, "claims " + std::to_string(st.size) + " bytes from " +
                                              std::to_string(st.comp_size) + ", more than deflate can hold")
      .hint("the archive is damaged or hostile");
}

// What the directory says of every entry, checked against the archive before anything is read.
Result<std::vector<zip_stat_t>> check_directory(zip_t* zip, std::int64_t archive_size, const Limits& limits) {
  const std::int64_t n = libzip().get_num_entries(zip, 0);
  if (n > kMaxEntries) return Status(Code::kResourceExhausted, std::to_string(n) + " entries in one archive");
  std::vector<zip_stat_t> entries;
  std::int64_t stored = 0, claimed = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    zip_stat_t st;
    libzip().stat_init(&st);
    constexpr zip_uint64_t kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
    if (libzip().stat_index(zip, static_cast<zip_uint64_t>(i), 0, &st) != 0 || (st.valid & kNeeded) != kNeeded) {
      return invalid("damaged zip directory").at("entry " + std::to_string(i));
    }
    const std::string place = "entry " + mote::quoted(st.name);
    if ((st.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && st.encryption_method != ZIP_EM_NONE) {
      return unsupported("encrypted").at(place).hint("save the archive without a password");
    }
    if (st.comp_method != ZIP_CM_STORE && st.comp_method != ZIP_CM_DEFLATE) {
      return unsupported("compression method " + std::to_string(st.comp_method))
          .at(place)
          .hint("use numpy.savez or numpy.savez_compressed");
    }
    if (st.comp_size > static_cast<std::uint64_t>(archive_size - stored)) {
      return invalid("claims " + std::to_string(st.comp_size) + " bytes of an archive of " +
                     std::to_string(archive_size) + ": truncated, or entries overlap")
          .at(place);
    }
    stored += static_cast<std::int64_t>(st.comp_size);
    const std::uint64_t most = st.comp_method == ZIP_CM_STORE ? st.comp_size : st.comp_size * kMaxExpansion + 64;
    if (st.size > most) return zip_bomb(st).at(place);
    if (static_cast<std::int64_t>(st.size) > limits.max_bytes - claimed) {
      return check_allocation(limits.max_bytes + 1, limits, "the archive up to " + place);
    }
    claimed += static_cast<std::int64_t>(st.size);
    entries.push_back(st);
  }
  return entries;
}

struct Entry {
  zip_file_t* file = nullptr;
  ~Entry() {
    if (file != nullptr) libzip().fclose(file);
  }
  Status read(std::byte* to, std::int64_t n) {
    for (std::int64_t done = 0; done < n;) {
      const std::int64_t got = libzip().fread(file, to + done, static_cast<zip_uint64_t>(n - done));
      if (got < 0) return invalid(std::string("damaged: ") + libzip().file_strerror(file));
      if (got == 0) return invalid("ends after " + std::to_string(done) + " of " + std::to_string(n) + " bytes");
      done += got;
    }
    return {};
  }
  // Reads to the end, so that the checksum is verified.
  Status finish() {
    std::byte skipped[4096];
    for (;;) {
      const std::int64_t got = libzip().fread(file, skipped, sizeof skipped);
      if (got < 0) return invalid(std::string("damaged: ") + libzip().file_strerror(file));
      if (got == 0) return {};
    }
  }
};

Result<Array> read_entry(zip_t* zip, const zip_stat_t& st, const Limits& limits) {
  Entry entry;
  entry.file = libzip().fopen_index(zip, st.index, 0);
  if (entry.file == nullptr) return invalid(std::string("damaged: ") + libzip().strerror(zip));
  const auto size = static_cast<std::int64_t>(st.size);
  std::vector<std::byte> head(static_cast<std::size_t>(std::min<std::int64_t>(size, 12)));
  MOTE_TRY(entry.read(head.data(), static_cast<std::int64_t>(head.size())));
  MOTE_ASSIGN(const std::int64_t header_size, npy_header_size(head));
  const auto have = static_cast<std::int64_t>(head.size());
  // A header shorter than 12 bytes, or longer than the entry, is refused by the parser.
  if (header_size > have && header_size <= size) {
    MOTE_TRY(check_allocation(header_size, limits, "the .npy header"));
    head.resize(static_cast<std::size_t>(header_size));
    MOTE_TRY(entry.read(head.data() + have, header_size - have));
  }
  MOTE_ASSIGN(const NpyHeader header, parse_npy_header(head, size, limits));
  MOTE_TRY(check_allocation(header.data_bytes(), limits, "the array"));
  std::vector<std::byte> raw(static_cast<std::size_t>(header.data_bytes()));
  MOTE_TRY(entry.read(raw.data(), header.data_bytes()));
  MOTE_TRY(entry.finish());
  return npy_to_array(header, std::move(raw), limits);
}

// Adds every array to the archive. `files` holds what the archive borrows until it is closed.
Status add_entries(const Archive& archive, std::span<const ArrayView> arrays, NpzCompression compression,
                   const Limits& limits, std::vector<NpyFile>& files) {
  files.reserve(arrays.size());  // the archive keeps addresses inside
  for (const ArrayView& array : arrays) {
    const std::string name = std::string(array.name) + ".npy";
    auto made = npy_from_array(array, limits);
    if (!made.ok()) return std::move(made).status().at("array " + mote::quoted(array.name));
    files.push_back(*std::move(made));
    const NpyFile& file = files.back();
    const auto data = file.data();
    zip_buffer_fragment_t pieces[2] = {
        {reinterpret_cast<zip_uint8_t*>(const_cast<std::byte*>(file.header.data())), file.header.size()},
        {reinterpret_cast<zip_uint8_t*>(const_cast<std::byte*>(data.data())), data.size()}};
    zip_source_t* source = libzip().source_buffer_fragment(archive.zip, pieces, data.empty() ? 1 : 2, 0);
    if (source == nullptr) return archive.failed("array " + mote::quoted(array.name));
    const zip_int64_t index = libzip().file_add(archive.zip, name.c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
      libzip().source_free(source);
      return invalid(libzip().strerror(archive.zip)).at("array " + mote::quoted(array.name));
    }
    const auto method = compression == NpzCompression::kStored ? ZIP_CM_STORE : ZIP_CM_DEFLATE;
    constexpr zip_uint16_t kDate1980 = 1 << 5 | 1;
    if (libzip().set_file_compression(archive.zip, static_cast<zip_uint64_t>(index), method, 0) != 0 ||
        libzip().file_set_dostime(archive.zip, static_cast<zip_uint64_t>(index), 0, kDate1980, 0) != 0) {
      return archive.failed("array " + mote::quoted(array.name));
    }
  }
  return {};
}

// An archive with nothing in it: libzip removes the file instead of writing one.
std::vector<std::byte> empty_archive() {
  std::vector<std::byte> out(22, std::byte{0});
  std::memcpy(out.data(), "PK\5\6", 4);
  return out;
}

}  // namespace

Result<std::vector<Array>> read_npz(std::span<const std::byte> file, const Limits& limits) {
  if (!is_zip(file)) return invalid("not an .npz file: it does not start with PK").hint("write it with numpy.savez");
  MOTE_TRY(load_libzip());
  Error error;
  zip_source_t* source = libzip().source_buffer_create(file.data(), file.size(), 0, &error.e);
  if (source == nullptr) return Status(Code::kIo, "cannot read the archive: " + error.text());
  Archive archive;
  archive.zip = libzip().open_from_source(source, ZIP_RDONLY, &error.e);
  if (archive.zip == nullptr) {
    libzip().source_free(source);
    return invalid("damaged .npz archive: " + error.text())
        .at("byte " + std::to_string(file.size()))
        .hint("a truncated file lacks the directory at its end");
  }
  MOTE_ASSIGN(const auto entries, check_directory(archive.zip, static_cast<std::int64_t>(file.size()), limits));
  std::vector<Array> arrays;
  std::set<std::string> names;
  for (const zip_stat_t& st : entries) {
    std::string name = st.name;
    if (name.ends_with('/') && st.size == 0) continue;
    auto array = read_entry(archive.zip, st, limits);
    if (!array.ok()) return std::move(array).status().at("entry " + mote::quoted(name));
    if (name.ends_with(".npy")) name.resize(name.size() - 4);
    if (!names.insert(name).second) return invalid("two arrays of this name").at("entry " + mote::quoted(name));
    array->name = std::move(name);
    arrays.push_back(*std::move(array));
  }
  return arrays;
}

Result<std::vector<std::byte>> write_npz(std::span<const ArrayView> arrays, NpzCompression compression,
                                         const Limits& limits) {
  if (arrays.empty()) return empty_archive();
  MOTE_TRY(load_libzip());
  Error error;
  zip_source_t* target = libzip().source_buffer_create(nullptr, 0, 0, &error.e);
  if (target == nullptr) return Status(Code::kIo, "cannot write the archive: " + error.text());
  Archive archive;
  archive.zip = libzip().open_from_source(target, ZIP_CREATE | ZIP_TRUNCATE, &error.e);
  if (archive.zip == nullptr) {
    libzip().source_free(target);
    return Status(Code::kIo, "cannot write the archive: " + error.text());
  }
  libzip().source_keep(target);
  struct Release {
    zip_source_t* s;
    ~Release() { libzip().source_free(s); }
  } release{target};
  std::vector<NpyFile> files;
  MOTE_TRY(add_entries(archive, arrays, compression, limits, files));
  if (libzip().close(archive.zip) != 0) return archive.failed("cannot write the archive");
  archive.zip = nullptr;
  zip_stat_t st;
  libzip().stat_init(&st);
  if (libzip().source_open(target) != 0 || libzip().source_stat(target, &st) != 0)
    return internal_error("the archive was lost");
  std::vector<std::byte> out(static_cast<std::size_t>(st.size));
  const zip_int64_t got = libzip().source_read(target, out.data(), out.size());
  libzip().source_close(target);
  if (got != static_cast<zip_int64_t>(out.size())) return internal_error("the archive was lost");
  return out;
}

#if MOTE_FILES
namespace {

Status write_plain(const std::string& path, std::span<const std::byte> bytes) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return Status(Code::kIo, std::string("cannot write: ") + std::strerror(errno)).at(path);
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  if (std::fclose(file) != 0 || !written) {
    return Status(Code::kIo, std::string("cannot write: ") + std::strerror(errno)).at(path);
  }
  return {};
}

}  // namespace

Status write_npz_file(const std::string& path, std::span<const ArrayView> arrays, NpzCompression compression,
                      const Limits& limits) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const fs::file_status there = fs::status(path, ignored);
  if (fs::is_directory(there)) return Status(Code::kIo, "is a folder").at(path);
  if (arrays.empty() || (fs::exists(there) && !fs::is_regular_file(there))) {
    MOTE_ASSIGN(const auto bytes, write_npz(arrays, compression, limits));
    return write_plain(path, bytes);
  }
  MOTE_TRY(load_libzip());
  // The rename must replace what a link points to, not the link.
  const fs::path real = fs::exists(there) ? fs::canonical(path, ignored) : fs::path(path);
  Error error;
  int code = 0;
  Archive archive;
  archive.zip = libzip().open(real.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  if (archive.zip == nullptr) {
    libzip().error_init_with_code(&error.e, code);
    return Status(Code::kIo, "cannot write: " + error.text()).at(path);
  }
  std::vector<NpyFile> files;
  MOTE_TRY(add_entries(archive, arrays, compression, limits, files));
  if (libzip().close(archive.zip) != 0) return archive.failed("cannot write").at(path);
  archive.zip = nullptr;
  return {};
}
#endif

#else  // !MOTE_NPZ

namespace {
Status without_libzip() {
  return unsupported(".npz files need libzip, which this build leaves out").hint("configure with -DMOTE_NPZ=ON");
}
}  // namespace

Result<std::vector<Array>> read_npz(std::span<const std::byte>, const Limits&) { return without_libzip(); }
Result<std::vector<std::byte>> write_npz(std::span<const ArrayView>, NpzCompression, const Limits&) {
  return without_libzip();
}
#if MOTE_FILES
Status write_npz_file(const std::string&, std::span<const ArrayView>, NpzCompression, const Limits&) {
  return without_libzip();
}
#endif

#endif

}  // namespace mote::media
