#include "cli/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <initializer_list>
#include <utility>

#include "proto/text_check.h"

namespace uplinkd {
namespace {

constexpr std::size_t kGap = 2;

std::string Format(double value, const char* unit) {
  char text[48];
  std::snprintf(text, sizeof(text), value < 10 ? "%.1f %s" : "%.0f %s", value,
                unit);
  return text;
}

// `units` grow by 1000.
std::string InUnits(double value, std::initializer_list<const char*> units) {
  const char* const* unit = units.begin();
  while (value >= 999.5 && unit + 1 != units.end()) {
    value /= 1000;
    ++unit;
  }
  if (value == 0) return "0";
  return Format(value, *unit);
}

}  // namespace

Table::Table(std::vector<std::string> header) : header_(std::move(header)) {}

void Table::AddRow(std::vector<Cell> row) {
  // Here, so that the widths are of what is shown.
  for (Cell& cell : row) cell.text = VisibleText(cell.text);
  rows_.push_back({std::move(row), {}});
}

void Table::AddNote(const std::string& note, Color color) {
  rows_.back().notes.push_back({note, color});
}

void Table::Print(const Screen& screen) const {
  std::vector<std::size_t> widths;
  for (const std::string& title : header_) widths.push_back(title.size());
  for (const Row& row : rows_) {
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      widths[i] = std::max(widths[i], row.cells[i].text.size());
    }
  }
  const auto print = [&](const std::vector<Cell>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      // The codes of colours have no width, so the padding stands outside.
      screen.out() << screen.Paint(cells[i].color, cells[i].text);
      if (i + 1 == cells.size()) break;
      screen.out() << std::string(widths[i] - cells[i].text.size() + kGap, ' ');
    }
    screen.out() << '\n';
  };
  std::vector<Cell> titles;
  for (const std::string& title : header_) {
    titles.push_back({title, Color::kBold});
  }
  print(titles);
  for (const Row& row : rows_) {
    print(row.cells);
    for (const Cell& note : row.notes) {
      screen.out() << "  " << screen.Paint(note.color, note.text) << '\n';
    }
  }
}

std::string HumanRate(double bytes_per_second) {
  return InUnits(bytes_per_second * 8, {"bit/s", "kbit/s", "Mbit/s", "Gbit/s"});
}

std::string HumanBytes(double bytes) {
  return InUnits(bytes, {"B", "kB", "MB", "GB", "TB"});
}

std::string HumanShare(double share) {
  return std::to_string(std::lround(share * 100)) + " %";
}

}  // namespace uplinkd
