// What settings given as text share: their messages and choices among names.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "mote/status.h"

namespace mote::media {

inline Status bad_setting(std::string_view key, std::string_view value, std::string_view wanted) {
  return invalid(concat(key, " ", quoted(value), ": expected ", wanted));
}

template <class T>
Status set_choice(std::optional<T>& field, std::string_view key, std::string_view value,
                  std::initializer_list<std::pair<std::string_view, T>> choices) {
  std::string names;
  for (const auto& [name, choice] : choices) {
    if (value == name) {
      field = choice;
      return {};
    }
    names += concat(names.empty() ? "" : ", ", name);
  }
  return bad_setting(key, value, "one of " + names);
}

}  // namespace mote::media
