// "did you mean": the candidate that a mistyped word most likely stands for.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cib {

// How many letters must be inserted, removed, replaced or swapped with their neighbour, each letter at most once
// (Damerau-Levenshtein, optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b);

// The nearest candidate, upper and lower case being the same: at most one edit for every three letters of `word` (at least
// one, at most three), or else the only one that begins with `word` (of three letters or more). The first of several that
// are equally near. Nothing when none is near, or when the word has only one letter.
std::optional<std::string_view> suggest(std::string_view word, std::span<const std::string_view> candidates);

// ` (did you mean "x"?)`, or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace cib
