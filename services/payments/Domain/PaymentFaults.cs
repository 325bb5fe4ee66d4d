using System.Globalization;
using DaprPlatform.Contracts;
using DaprPlatform.ServiceDefaults.Settings;

namespace DaprPlatform.Payments.Domain;

/// <summary>Percent of the charges that the processor fails to process (<c>fault-payment-failure-percent</c>).</summary>
internal sealed class PaymentFaults() : LiveSetting<int>("fault-payment-failure-percent", 0, TryRead)
{
    private const int All = 100;

    public bool StrikesNow => Value > 0 && Random.Shared.Next(All) < Value;

    private static bool TryRead(string text, out int percent) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out percent) && percent <= All;
}

/// <summary>A processor that fails as often as it is told to. What it decided is written down with the payment, so that a repeated attempt has the same outcome.</summary>
internal sealed class FailingProcessor(ICardProcessor processor, PaymentFaults faults) : ICardProcessor
{
    public ProcessorCard Store(string number) => processor.Store(number);

    public Charge Capture(string reference, Money amount) => faults.StrikesNow ? new Charge(FailureReasons.ProcessingError) : processor.Capture(reference, amount);

    public Charge Refund(string payment, string key, Money amount) => processor.Refund(payment, key, amount);

    public bool CancelRefund(string key) => processor.CancelRefund(key);
}
