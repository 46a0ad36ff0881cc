#include "prepare/tune_cache.h"

#include <charconv>

#include "base/file.h"
#include "base/text.h"
#include "kernels/tiling.h"

namespace mote {
namespace {

constexpr std::string_view kHead = "mote tuning 1";
constexpr std::int64_t kMostBytes = std::int64_t{16} << 20;
constexpr std::size_t kKeyDigits = 16;

// "0123456789abcdef 2"
bool parse_answer(std::string_view line, std::uint64_t& key, std::int32_t& tiling) {
  if (line.size() != kKeyDigits + 2 || line[kKeyDigits] != ' ') return false;
  const char *begin = line.data(), *end = begin + kKeyDigits;
  auto [stop, error] = std::from_chars(begin, end, key, 16);
  tiling = line.back() - '0';
  return error == std::errc() && stop == end && tiling >= 0 && tiling < kernels::kTilingCount;
}

}  // namespace

Result<TuneCache> TuneCache::parse(std::string_view text) {
  TuneCache cache;
  int number = 0;
  for (std::size_t at = 0; at < text.size(); ++number) {
    std::size_t end = text.find('\n', at);
    if (end == std::string_view::npos) return invalid("the last line is cut short").at(concat("line ", number + 1));
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    std::uint64_t key = 0;
    std::int32_t tiling = 0;
    if (number == 0 ? line != kHead : !parse_answer(line, key, tiling))
      return invalid(number == 0 ? "this is not a cache of tuning" : "this is not an answer of tuning")
          .at(concat("line ", number + 1));
    if (number > 0) cache.answers[key] = tiling;
  }
  if (number == 0) return invalid("the file is empty");
  return cache;
}

std::string TuneCache::print() const {
  std::string text(kHead);
  text += '\n';
  for (const auto& [key, tiling] : answers) {
    for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[key >> shift & 15];
    text += ' ';
    text += static_cast<char>('0' + tiling);
    text += '\n';
  }
  return text;
}

Result<TuneCache> TuneCache::read(const std::string& path) {
  Result<std::string> text = read_file(path, kMostBytes);
  if (!text.ok() && text.status().code() == Code::kNotFound) return TuneCache();
  if (!text.ok()) return std::move(text).status();
  Result<TuneCache> cache = parse(*text);
  if (!cache.ok())
    return std::move(cache).status().at(path).hint("remove the file, or name another one by MOTE_TUNE_CACHE");
  return cache;
}

Status TuneCache::write(const std::string& path) const {
  MOTE_ASSIGN(TuneCache all, read(path));
  for (const auto& [key, tiling] : answers) all.answers[key] = tiling;
  MOTE_TRY(make_folder_of(path));
  MOTE_ASSIGN(FileWriter file, FileWriter::create(path));
  MOTE_TRY(file.write(all.print()));
  return file.commit();
}

}  // namespace mote
