using System.CommandLine;
using DaprPlatform.Cli.Control;

namespace DaprPlatform.Cli.Commands;

/// <summary>The options that say which stack is meant; every command of a stack has them.</summary>
internal sealed class StackOptions
{
    private readonly Option<string?> _file = new("--file", "-f") { Description = "The run file; dapr.yaml of the repository by default." };
    private readonly Option<string?> _data = new("--data-dir") { Description = "The folder that holds everything of the stack; .platform beside the run file by default." };

    private StackOptions(bool shortFile)
    {
        if (!shortFile)
            _file = new Option<string?>("--file") { Description = _file.Description };
    }

    public static Option<bool> Json() => new("--json") { Description = "Print JSON." };

    /// <param name="command">Gets the options.</param>
    /// <param name="shortFile">False where -f means something else.</param>
    public static StackOptions AddTo(Command command, bool shortFile = true)
    {
        var options = new StackOptions(shortFile);
        command.Options.Add(options._file);
        command.Options.Add(options._data);
        return options;
    }

    public string RunFile(ParseResult parsed, Repository repository) =>
        parsed.GetValue(_file) is { } given ? Path.GetFullPath(Directory.Exists(given) ? Path.Combine(given, "dapr.yaml") : given) : Path.Combine(repository.Root, "dapr.yaml");

    public DataFolder Data(ParseResult parsed, Repository repository) => DataFolder.Choose(parsed.GetValue(_data), RunFile(parsed, repository));
}
