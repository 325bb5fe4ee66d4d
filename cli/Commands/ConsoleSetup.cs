using Spectre.Console;

namespace DaprPlatform.Cli.Commands;

internal static class ConsoleSetup
{
    // A file or a pipe has no width: lines are not broken there.
    private const int Unbroken = 1000;

    public static void Prepare()
    {
        if (Console.IsOutputRedirected)
            MakePlain(AnsiConsole.Console);
    }

    public static IAnsiConsole Error()
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        if (Console.IsErrorRedirected)
            MakePlain(console);
        return console;
    }

    private static void MakePlain(IAnsiConsole console)
    {
        console.Profile.Width = Unbroken;
        console.Profile.Capabilities.Ansi = false;
        console.Profile.Capabilities.ColorSystem = ColorSystem.NoColors;
    }
}
