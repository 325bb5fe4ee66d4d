using System.Text;

namespace DaprPlatform.Cli.Retail;

/// <summary>Many line numbers in little space, none left out: <c>3, 7-12, 40</c>.</summary>
internal static class LineRanges
{
    public static string Of(IEnumerable<int> lines)
    {
        var text = new StringBuilder();
        int? from = null, to = null;
        foreach (var line in lines.Order())
        {
            if (line == to + 1 || line == to)
            {
                to = line;
                continue;
            }

            Close();
            (from, to) = (line, line);
        }

        Close();
        return text.ToString();

        void Close()
        {
            if (from is null)
                return;
            if (text.Length > 0)
                text.Append(", ");
            text.Append(from);
            if (to != from)
                text.Append('-').Append(to);
        }
    }
}
